"""The attackers' decoders of split inference: guess the picture from all tokens behind some encoder blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.attackers.initialisation import sinusoidal_positions, xavier
from pedbench.models.attackers.restoration import TransformerBlock
from pedbench.models.attackers.sized import load_sized
from pedbench.models.kept import kept

DEPTHS = (2, 4, 6)
"""Numbers of blocks behind which `decoder-split-mini` decodes tokens, its kinds of tokens."""

REQUESTS = (1, 8)
"""Numbers of requests of which `decoder-feature-noise-mini` decodes the mean tokens, its kinds of tokens."""

CONTRAST = 0.1
"""Pixels, in [0, 1], per unit of the network's outputs, which keeps its weights near one."""

LEAST = 1e-5
"""Least variance of a direction of tokens that is scaled to one, relative to the mean variance of all directions."""


@dataclass(frozen=True, kw_only=True)
class SplitDecoderSizes:
    """Sizes of a decoder of split inference.

    Attributes:
        side: Side of the encoder's square grid of tokens.
        patch: Side in pixels of the patch of one token.
        width: Channels of the encoder's tokens and of the decoder's.
        depth: Number of transformer blocks; the even ones attend within windows of the encoder, the odd ones globally.
        rounds: Times that the blocks are applied, one round after the other.
        heads: Attention heads of each block.
        window: Side of a window in tokens, which divides `side`.
        detail: Feature planes at full resolution; the first three are colours.
    """

    side: int = 20
    patch: int = 16
    width: int = 192
    depth: int = 3
    rounds: int = 2
    heads: int = 6
    window: int = 4
    detail: int = 6


class SplitDecoderNetwork(nn.Module):
    """A linear estimate per kind of tokens, corrected by a vision transformer and by convolutions at full resolution.

    All kinds share the transformer and the convolutions.

    Args:
        sizes: Sizes of the network.
        kinds: Numbers that tell the kinds of tokens apart, such as numbers of blocks.
    """

    def __init__(self, sizes: SplitDecoderSizes, kinds: tuple[int, ...] = DEPTHS) -> None:
        super().__init__()
        self.sizes, self.kinds = sizes, kinds
        width, area = sizes.width, sizes.patch**2
        self.inputs = nn.ModuleList(nn.Linear(width, width) for _ in kinds)
        self.linear = nn.ModuleList(nn.Linear(width, 3 * area) for _ in kinds)
        self.positions = nn.Parameter(sinusoidal_positions(sizes.side, width)[None])
        self.blocks = nn.ModuleList(TransformerBlock(width, sizes.heads) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(width)
        self.planes = nn.Linear(width, sizes.detail * area)
        last = nn.Conv2d(16, 3, 3, padding=1)
        self.refine = nn.Sequential(nn.Conv2d(sizes.detail + 3, 16, 3, padding=1), nn.GELU(), last)
        xavier(self)
        # Before training, the output is the linear estimate.
        for parameter in (*self.planes.parameters(), *last.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor, kind: int) -> Tensor:
        """Guess pictures.

        Args:
            tokens: (B, side, side, width) tokens of one kind.
            kind: One of `kinds`.

        Returns:
            (B, 3, S, S), S = side * patch, not clipped to [0, 1].
        """
        place = self.kinds.index(kind)
        white = self.inputs[place](tokens.flatten(1, 2))
        state = white + self.positions
        for _ in range(self.sizes.rounds):
            for number, block in enumerate(self.blocks):
                state = block(state) if number % 2 else self._merged(block(self._windows(state)))
        estimate = self._pixels(self.linear[place](white))
        detail = self._pixels(self.planes(self.norm(state)))
        corrected: Tensor = estimate + detail[:, :3] + self.refine(torch.cat([estimate, detail], dim=1))
        return 0.5 + CONTRAST * corrected

    def _windows(self, state: Tensor) -> Tensor:
        """Split (B, side * side, width) tokens into windows (B * count, window * window, width)."""
        side, window, width = self.sizes.side, self.sizes.window, self.sizes.width
        parts = state.reshape(-1, side // window, window, side // window, window, width)
        return parts.transpose(2, 3).reshape(-1, window * window, width)

    def _merged(self, windows: Tensor) -> Tensor:
        """Return the tokens (B, side * side, width) that `_windows` has split."""
        side, window, width = self.sizes.side, self.sizes.window, self.sizes.width
        parts = windows.reshape(-1, side // window, side // window, window, window, width)
        return parts.transpose(2, 3).reshape(-1, side * side, width)

    def _pixels(self, values: Tensor) -> Tensor:
        """Arrange (B, L, planes * patch * patch) values of tokens as planes (B, planes, S, S)."""
        side = self.sizes.side
        grid = values.transpose(1, 2).reshape(len(values), -1, side, side)
        return functional.pixel_shuffle(grid, self.sizes.patch)

    @torch.no_grad()
    def start_linear(self, kind: int, tokens: Tensor, patches: Tensor) -> None:
        """Set the linear path of a kind of tokens to the least-squares estimate from examples.

        Its input scales all directions of the examples' tokens to variance one.

        Args:
            kind: One of `kinds`.
            tokens: (n, width).
            patches: (n, 3 * patch * patch) pixels in [0, 1] of each token, as `pixel_unshuffle` arranges them.
        """
        place = self.kinds.index(kind)
        tokens, pixels = tokens.double(), (patches.double() - 0.5) / CONTRAST
        mean = tokens.mean(dim=0)
        variances, directions = torch.linalg.eigh(torch.cov(tokens.T))
        scales = (variances.clamp(min=0) + LEAST * variances.mean()).rsqrt()
        whitening = (directions * scales) @ directions.T
        white = (tokens - mean) @ whitening
        slopes = torch.linalg.lstsq(white, pixels - pixels.mean(dim=0)).solution
        for layer, weight, bias in (
            (self.inputs[place], whitening, -whitening @ mean),
            (self.linear[place], slopes.T, pixels.mean(dim=0)),
        ):
            layer.load_state_dict({"weight": weight, "bias": bias})


@kept
def load_split_decoder(path: Path) -> SplitDecoderNetwork:
    """Load a network of `save_sized`, in evaluation mode, its parameters frozen.

    Raises:
        MissingWeightsError: The file is missing.
        CheckpointError: The file is of another kind, or its digest differs from the manifest.
    """
    return load_sized(path, SplitDecoderSizes, SplitDecoderNetwork, "split decoder")


@kept
def load_feature_decoder(path: Path) -> SplitDecoderNetwork:
    """Load a decoder of the mean tokens of `REQUESTS`, in evaluation mode, its parameters frozen.

    Raises:
        MissingWeightsError: The file is missing.
        CheckpointError: The file is of another kind, or its digest differs from the manifest.
    """
    build = partial(SplitDecoderNetwork, kinds=REQUESTS)
    return load_sized(path, SplitDecoderSizes, build, "feature decoder")
