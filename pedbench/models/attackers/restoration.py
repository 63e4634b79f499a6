"""The attackers' restoration network: guesses the whole picture from the known part of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.attackers.initialisation import sinusoidal_positions, xavier
from pedbench.models.attackers.sized import load_sized
from pedbench.models.kept import kept


@dataclass(frozen=True, kw_only=True)
class RestorationSizes:
    """Sizes of a restoration network.

    Attributes:
        canvas: Side in pixels of the square canvas around pictures.
        patch: Side in pixels of the patch that becomes one token.
        width: Channels of its tokens.
        depth: Number of transformer blocks.
        heads: Attention heads of each block.
        detail: Feature planes at full resolution, from which convolutions make the picture.
        token_channels: Channels of the encoder's tokens that it takes besides pixels; 0 for pixels only.
        token_side: Side of the grid of those tokens.
    """

    canvas: int = 160
    patch: int = 16
    width: int = 192
    depth: int = 8
    heads: int = 6
    detail: int = 6
    token_channels: int = 0
    token_side: int = 20


class TransformerBlock(nn.Module):
    """A pre-norm block of attention and perceptron on (B, L, width) tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        split = self.qkv(self.norm1(tokens)).reshape(batch, count, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        # For so few tokens, the fused kernel's backward pass is several times slower on CPUs.
        weights = (q * q.shape[-1] ** -0.5 @ k.transpose(2, 3)).softmax(-1)
        tokens = tokens + self.out((weights @ v).transpose(1, 2).reshape(tokens.shape))
        result: Tensor = tokens + self.mlp(self.norm2(tokens))
        return result


class RestorationTransformer(nn.Module):
    """A vision transformer with a convolutional head that completes, sharpens or decodes.

    It corrects the known part of the picture and invents the rest.
    """

    def __init__(self, sizes: RestorationSizes) -> None:
        super().__init__()
        self.sizes = sizes
        side, width = sizes.canvas // sizes.patch, sizes.width
        # Channels: three colours, whether they are known, whether the pixel lies in the frame.
        self.embed = nn.Conv2d(5, width, sizes.patch, sizes.patch)
        self.positions = nn.Parameter(sinusoidal_positions(side, width)[None])
        if sizes.token_channels:
            together = sizes.token_side // side
            self.embed_tokens = nn.Conv2d(sizes.token_channels + 1, width, together, together)
        self.blocks = nn.ModuleList(TransformerBlock(width, sizes.heads) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(width)
        self.planes = nn.Linear(width, sizes.patch**2 * sizes.detail)
        self.refine = nn.Sequential(
            nn.Conv2d(sizes.detail + 5, 12, 3, padding=1), nn.GELU(), nn.Conv2d(12, 3, 3, padding=1)
        )
        xavier(self)

    def forward(
        self,
        picture: Tensor,
        visible: Tensor,
        inside: Tensor,
        tokens: Tensor | None = None,
        tokens_visible: Tensor | None = None,
    ) -> Tensor:
        """Guess pictures.

        Args:
            picture: (B, 3, S, S) in [0, 1], S the canvas; ignored where not visible.
            visible: (B, 1, S, S) 1 where the picture's colours are known, exactly or roughly, else 0.
            inside: (B, 1, S, S) 1 on the frame, 0 on the canvas beyond it.
            tokens: (B, C, g, g) an encoder's tokens on their grid; ignored where not visible.
            tokens_visible: (B, 1, g, g) 1 where there is a token, else 0.

        Returns:
            (B, 3, S, S), not clipped to [0, 1].
        """
        known = torch.cat([(picture - 0.5) * visible, visible, inside], dim=1)
        grid = self.embed(known)
        if self.sizes.token_channels:
            if tokens is None or tokens_visible is None:
                raise ValueError("this network decodes tokens: expected some, found none")
            grid = grid + self.embed_tokens(torch.cat([tokens * tokens_visible, tokens_visible], dim=1))
        state = grid.flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            state = block(state)
        planes = self.planes(self.norm(state)).transpose(1, 2).reshape(len(state), -1, *grid.shape[2:])
        detail = functional.pixel_shuffle(planes, self.sizes.patch)
        guess: Tensor = known[:, :3] + self.refine(torch.cat([detail, known], dim=1)) + 0.5
        return guess


@kept
def load_restoration(path: Path) -> RestorationTransformer:
    """Load a network of `save_sized`, in evaluation mode, its parameters frozen.

    Raises:
        MissingWeightsError: The file is missing.
        CheckpointError: The file is of another kind, or its digest differs from the manifest.
    """
    return load_sized(path, RestorationSizes, RestorationTransformer, "restoration")
