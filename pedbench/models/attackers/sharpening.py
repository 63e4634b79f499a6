"""The attackers' sharpening network: guesses a picture from its degraded version and a linear estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.attackers.sized import load_sized
from pedbench.models.kept import kept
from pedbench.types import Picture

KINDS = ("blur", "blocks", "resolution")
"""Kinds of degradation that the network tells apart."""


@dataclass(frozen=True, kw_only=True)
class SharpeningSizes:
    """Sizes of a sharpening network.

    Attributes:
        width: Feature planes, at half the picture's resolution.
        blocks: Residual blocks of two convolutions each.
    """

    width: int = 32
    blocks: int = 4


class SharpeningNetwork(nn.Module):
    """A residual convolutional network that corrects a linear estimate of a degraded picture.

    Source: Zhang et al., Beyond a Gaussian Denoiser (DnCNN), arXiv 1608.03981; half resolution and planes of the
        strength as in FFDNet, arXiv 1710.04026.
    """

    def __init__(self, sizes: SharpeningSizes) -> None:
        super().__init__()
        self.sizes = sizes
        # Four pixels of two pictures, and planes of kind and strength.
        self.enter = nn.Conv2d(24 + len(KINDS) + 1, sizes.width, 3, padding=1)
        self.bodies = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(sizes.width, sizes.width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(sizes.width, sizes.width, 3, padding=1),
            )
            for _ in range(sizes.blocks)
        )
        self.leave = nn.Conv2d(sizes.width, 12, 3, padding=1)
        # Before training, the output is the linear estimate.
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, degraded: Tensor, estimate: Tensor, condition: Tensor) -> Tensor:
        """Guess pictures.

        Args:
            degraded: (B, 3, H, W) in [0, 1], H and W even.
            estimate: (B, 3, H, W) in [0, 1], the linear estimate.
            condition: (B, kinds + 1), see `condition`.

        Returns:
            (B, 3, H, W), not clipped to [0, 1].
        """
        both = functional.pixel_unshuffle(torch.cat([degraded, estimate], dim=1) - 0.5, 2)
        planes = condition[:, :, None, None].expand(-1, -1, *both.shape[2:])
        state = functional.relu(self.enter(torch.cat([both, planes], dim=1)))
        for body in self.bodies:
            state = state + body(state)
        correction: Tensor = functional.pixel_shuffle(self.leave(state), 2)
        return estimate + correction


def condition(kind: str, strength: float) -> Tensor:
    """Return (kinds + 1,) the one-hot kind of degradation and the scaled logarithm of its strength in pixels."""
    return torch.tensor([float(kind == each) for each in KINDS] + [math.log2(strength) / 2])


def sharpen(
    network: SharpeningNetwork, degraded: Picture, estimate: Picture, kind: str, strength: float
) -> Picture:
    """Guess what a degraded picture showed.

    Args:
        network: In evaluation mode.
        degraded: (H, W, 3) in [0, 1].
        estimate: (H, W, 3), the linear estimate.
        kind: One of `KINDS`.
        strength: In pixels of the frame.

    Returns:
        (H, W, 3) in [0, 1].
    """
    height, width = degraded.shape[:2]

    def even(picture: Picture) -> Tensor:
        planes = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
        return functional.pad(planes, (0, width % 2, 0, height % 2), mode="replicate")

    with torch.inference_mode():
        guess = network(even(degraded), even(estimate), condition(kind, strength)[None])
    picture: Picture = guess[0, :, :height, :width].clamp(0, 1).permute(1, 2, 0).numpy().copy()
    return picture


@kept
def load_sharpening(path: Path) -> SharpeningNetwork:
    """Load a network of `save_sized`, in evaluation mode, its parameters frozen.

    Raises:
        MissingWeightsError: The file is missing.
        CheckpointError: The file is of another kind, or its digest differs from the manifest.
    """
    return load_sized(path, SharpeningSizes, SharpeningNetwork, "sharpening")
