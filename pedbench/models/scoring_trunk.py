"""The trunk of the scoring metric: a small residual network whose stages LPIPS compares."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval

CHANNELS = (24, 40, 64, 128)
"""Channels of each stage; the first is at half the resolution, each further one halves it again."""

_BLOCKS = (0, 1, 2, 2)
"""Residual blocks of each stage."""

_EXPANSION = 2

_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


class ScoringTrunk(nn.Module):
    """Residual network of depthwise and pointwise convolutions.

    The SqueezeNet in the attackers' loss has pooling and concatenated branches instead, and neither residual nor
    depthwise layers. A feature of the last stage depends on 135 x 135 pixels.

    Source: Sandler et al., MobileNetV2, arXiv 1801.04381; the place of the depthwise convolution as in Liu et al.,
        A ConvNet for the 2020s, arXiv 2201.03545.

    Args:
        fused: Whether batch normalisations are folded into the convolutions, as in the shipped weights.
    """

    def __init__(self, *, fused: bool = False) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        for inputs, outputs, count in zip((3, *CHANNELS), CHANNELS, _BLOCKS, strict=False):
            blocks = [_Block(outputs, fused=fused) for _ in range(count)]
            enter = _Normalised(inputs, outputs, 3, fused=fused, stride=2)
            self.stages.append(nn.Sequential(enter, *blocks))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of all stages.

        Args:
            pixels: (B, 3, H, W) in [-1, 1].

        Returns:
            (B, C, h, w) for each of `CHANNELS`, at least 0; h and w are H and W over 2, 4, 8 and 16, rounded up.
        """
        found = []
        for stage in self.stages:
            pixels = functional.relu(stage(pixels), inplace=True)
            found.append(pixels)
        return tuple(found)

    def fuse(self) -> ScoringTrunk:
        """Return a copy in evaluation mode with each batch normalisation folded into its convolution."""
        trunk = copy.deepcopy(self).eval()
        for pair in list(trunk.modules()):
            if isinstance(pair, _Normalised):
                pair[0], pair[1] = pair.fused(), nn.Identity()
        return trunk


class _Block(nn.Module):
    def __init__(self, channels: int, *, fused: bool) -> None:
        super().__init__()
        inner = _EXPANSION * channels
        self.body = nn.Sequential(
            _Normalised(channels, channels, 3, fused=fused, groups=channels),
            _Normalised(channels, inner, 1, fused=fused),
            nn.ReLU(inplace=True),
            _Normalised(inner, channels, 1, fused=fused),
        )

    def forward(self, state: Tensor) -> Tensor:
        changed: Tensor = self.body(state).add_(state)
        return changed


class _Convolution(nn.Conv2d):
    """A convolution by oneDNN where it is there: torch's own kernels, which it takes for small batches, are slower."""

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu" or torch.is_grad_enabled() or not _ONEDNN:
            return super().forward(input)
        padding = self.padding
        assert not isinstance(padding, str)
        return torch.mkldnn_convolution(
            input, self.weight, self.bias, padding, self.stride, self.dilation, self.groups
        )


class _Normalised(nn.Sequential):
    """A convolution and its batch normalisation, which is an identity once it is folded into the convolution."""

    def __init__(
        self, inputs: int, outputs: int, side: int, *, fused: bool, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            _Convolution(inputs, outputs, side, stride, side // 2, groups=groups, bias=fused),
            nn.Identity() if fused else nn.BatchNorm2d(outputs),
        )

    def fused(self) -> nn.Conv2d:
        """Return the convolution with the normalisation folded into it."""
        convolution, normalisation = self
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(normalisation, nn.BatchNorm2d)
        return fuse_conv_bn_eval(convolution, normalisation)
