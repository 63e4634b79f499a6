"""Multiply-adds that the stages of an architecture take: matrix products and convolutions, nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from pedbench.models.sam.architectures import Architecture
from pedbench.types import Window


def patch_embedding(of: Architecture, tokens: int) -> int:
    """Count the multiply-adds of the patch embedding of some tokens."""
    return tokens * 3 * of.patch_size**2 * of.embed_dim


def window_blocks(of: Architecture, windows: Iterable[Window] | None = None) -> int:
    """Count the multiply-adds of all window blocks on some windows.

    Attention takes whole windows, the padding at the grid's border included; the MLP takes real tokens alone.

    Args:
        of: The architecture.
        windows: Row and column of each; all of the grid without it.
    """
    grid = of.grid
    whole = of.window_size**2
    blocks = of.depth - len(of.global_blocks)
    attention = _attention(of, whole, of.window_size)
    sizes = [grid.inside(window) for window in (grid.windows if windows is None else windows)]
    return blocks * sum(attention + _mlp(of, height * width) for height, width in sizes)


def window_stage(of: Architecture, windows: Iterable[Window]) -> int:
    """Count what a server computes for its windows: patch embedding of whole tiles, and all window blocks."""
    given = list(windows)
    return patch_embedding(of, len(given) * of.window_size**2) + window_blocks(of, given)


def global_blocks(of: Architecture) -> int:
    """Count the multiply-adds of all blocks with global attention."""
    height, width = of.tokens
    tokens = height * width
    return len(of.global_blocks) * (_attention(of, tokens, height) + _mlp(of, tokens))


def neck(of: Architecture) -> int:
    """Count the multiply-adds of the two convolutions behind the last block."""
    height, width = of.tokens
    return height * width * of.neck_channels * (of.embed_dim + 9 * of.neck_channels)


def encoder(of: Architecture) -> int:
    """Count the multiply-adds of the whole image encoder, in whatever order its blocks are."""
    height, width = of.tokens
    return patch_embedding(of, height * width) + window_blocks(of) + global_blocks(of) + neck(of)


def _attention(of: Architecture, tokens: int, side: int) -> int:
    """One block's attention on a square of tokens: projections, products, and relative positions by axis."""
    width = of.embed_dim
    return 4 * tokens * width**2 + 2 * tokens**2 * width + 2 * tokens * side * width


def _mlp(of: Architecture, tokens: int) -> int:
    return 2 * tokens * of.embed_dim * int(of.embed_dim * of.mlp_ratio)
