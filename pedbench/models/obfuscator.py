"""The obfuscator of split inference: a learned projection of tokens to few channels, noise on these, and the way back.

Sources: Singh et al., DISCO, CVPR 2021 (channels that a trained adversary needs are removed), and Mireshghallah et
    al., Shredder, ASPLOS 2020 (noise of a learned distribution is added).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from pedbench.models.attackers.sized import load_sized
from pedbench.models.kept import kept

OBFUSCATOR = "feature-noise-mini"
"""Name of the obfuscator of `sam-mini`'s tokens."""


@dataclass(frozen=True, kw_only=True)
class ObfuscatorSizes:
    """Sizes of an obfuscator.

    Attributes:
        blocks: Number of encoder blocks before it.
        width: Channels of the encoder's tokens.
        channels: Channels of the projection, at most `width`.
    """

    blocks: int = 2
    width: int = 192
    channels: int = 96


class Obfuscator(nn.Module):
    """A linear projection to `channels` channels and a linear map back to tokens that the encoder goes on with.

    Noise of standard deviation one is added between the two. Both maps are learned, and so is the noise's
    covariance in the tokens: a channel of small amplitude is lost in the noise.
    """

    def __init__(self, sizes: ObfuscatorSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.project = nn.Linear(sizes.width, sizes.channels)
        self.expand = nn.Linear(sizes.channels, sizes.width)

    def forward(self, tokens: Tensor, noise: Tensor) -> Tensor:
        """Obfuscate tokens.

        Args:
            tokens: (..., width) tokens behind `blocks` blocks.
            noise: (..., channels) independent samples of the standard normal distribution.

        Returns:
            (..., width) tokens for the next block.
        """
        obfuscated: Tensor = self.expand(self.project(tokens) + noise)
        return obfuscated

    def channels(self, obfuscated: Tensor) -> Tensor:
        """Recover the noisy channels (..., channels) from obfuscated tokens (..., width), by least squares."""
        centred = (obfuscated - self.expand.bias).double()
        channels: Tensor = centred @ torch.linalg.pinv(self.expand.weight.double()).T
        return channels.float()

    @torch.no_grad()
    def start(self, tokens: Tensor, amplitude: float) -> None:
        """Set the projection to the principal components of examples, and the map back to its inverse.

        Args:
            tokens: (n, width).
            amplitude: Standard deviation of each channel of the projection, relative to the noise.
        """
        tokens = tokens.double()
        mean = tokens.mean(dim=0)
        variances, directions = torch.linalg.eigh(torch.cov(tokens.T))
        count = self.sizes.channels
        scales = variances[-count:].clamp(min=1e-12).sqrt() / amplitude
        components = directions[:, -count:]
        project = (components / scales).T
        self.project.load_state_dict({"weight": project, "bias": -project @ mean})
        self.expand.load_state_dict({"weight": components * scales, "bias": mean})


@kept
def load_obfuscator(path: Path) -> Obfuscator:
    """Load a network of `save_sized`, in evaluation mode, its parameters frozen.

    Raises:
        MissingWeightsError: The file is missing.
        CheckpointError: The file is of another kind, or its digest differs from the manifest.
    """
    return load_sized(path, ObfuscatorSizes, Obfuscator, "obfuscator")
