"""The attackers' network: from what a view holds of a picture to the whole of it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.attackers.initialisation import sinusoidal_positions, xavier
from pedbench.models.attackers.sized import load_sized


@dataclass(frozen=True, kw_only=True)
class RestorationSizes:
    """What fixes the shapes of a restoration network.

    Attributes:
        canvas: Side in pixels of the square canvas that pictures lie in.
        patch: Side in pixels of the patch that becomes one token.
        width: Channels of its tokens.
        depth: Number of transformer blocks.
        heads: Attention heads of each.
        detail: Feature planes at full resolution, from which convolutions make the picture.
        token_channels: Channels of an encoder's tokens that it gets beside pixels; 0 for pixels alone.
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


class _Block(nn.Module):
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
        # Written out: for so few tokens the fused kernel's backward pass is several times slower on CPUs.
        weights = (q * q.shape[-1] ** -0.5 @ k.transpose(2, 3)).softmax(-1)
        tokens = tokens + self.out((weights @ v).transpose(1, 2).reshape(tokens.shape))
        result: Tensor = tokens + self.mlp(self.norm2(tokens))
        return result


class RestorationTransformer(nn.Module):
    """A vision transformer with a convolutional head that completes, sharpens or decodes.

    What is held of the picture is kept and corrected; the rest is made up.
    """

    def __init__(self, sizes: RestorationSizes) -> None:
        super().__init__()
        self.sizes = sizes
        side, width = sizes.canvas // sizes.patch, sizes.width
        # Colours, what of them is held, and what lies in the picture.
        self.embed = nn.Conv2d(5, width, sizes.patch, sizes.patch)
        self.positions = nn.Parameter(sinusoidal_positions(side, width)[None])
        if sizes.token_channels:
            together = sizes.token_side // side
            self.embed_tokens = nn.Conv2d(sizes.token_channels + 1, width, together, together)
        self.blocks = nn.ModuleList(_Block(width, sizes.heads) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(width)
        self.planes = nn.Linear(width, sizes.patch**2 * sizes.detail)
        self.refine = nn.Sequential(
            nn.Conv2d(sizes.detail + 5, 12, 3, padding=1), nn.GELU(), nn.Conv2d(12, 3, 3, padding=1)
        )
        xavier(self)

    def forward(
        self,
        picture: Tensor,
        held: Tensor,
        inside: Tensor,
        tokens: Tensor | None = None,
        tokens_held: Tensor | None = None,
    ) -> Tensor:
        """Guess pictures.

        Args:
            picture: (B, 3, S, S) in [0, 1], S the canvas; what is not held is ignored.
            held: (B, 1, S, S) 1 where the picture's colours are known, exactly or not, else 0.
            inside: (B, 1, S, S) 1 on the frame, 0 on the canvas beyond it.
            tokens: (B, C, g, g) an encoder's tokens on their grid; what is not held is ignored.
            tokens_held: (B, 1, g, g) 1 where there is a token, else 0.

        Returns:
            (B, 3, S, S), not clipped to [0, 1].
        """
        known = torch.cat([(picture - 0.5) * held, held, inside], dim=1)
        grid = self.embed(known)
        if self.sizes.token_channels:
            if tokens is None or tokens_held is None:
                raise ValueError("this network decodes tokens: expected some, found none")
            grid = grid + self.embed_tokens(torch.cat([tokens * tokens_held, tokens_held], dim=1))
        state = grid.flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            state = block(state)
        planes = self.planes(self.norm(state)).transpose(1, 2).reshape(len(state), -1, *grid.shape[2:])
        detail = functional.pixel_shuffle(planes, self.sizes.patch)
        guess: Tensor = known[:, :3] + self.refine(torch.cat([detail, known], dim=1)) + 0.5
        return guess


def save_restoration(network: RestorationTransformer, path: Path) -> None:
    """Write weights and sizes, atomically, as `.safetensors`."""
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    save_file(state, partial, metadata={"sizes": json.dumps(asdict(network.sizes))})
    # safetensors writes files that only their owner may read.
    partial.chmod(0o644)
    partial.replace(path)


def load_restoration(path: Path) -> RestorationTransformer:
    """Read what `save_restoration` wrote; in evaluation mode, its parameters frozen.

    Raises:
        MissingWeightsError: There is no such file.
        CheckpointError: It is none of these, or not the one in the manifest.
    """
    return load_sized(path, RestorationSizes, RestorationTransformer, "restoration")
