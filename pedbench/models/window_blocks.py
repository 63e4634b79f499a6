"""Blocks with window attention, on any subset of windows and in any block order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from pedbench.models.windows import WindowGrid
from pedbench.types import Window


def window_runs(encoder: Any) -> tuple[tuple[int, int], ...]:
    """Stretches of consecutive window blocks: the first block of each, and the one after its last."""
    runs = groupby(enumerate(encoder.blocks), key=lambda item: item[1].window_size > 0)
    stretches = [[index for index, _ in items] for windowed, items in runs if windowed]
    return tuple((stretch[0], stretch[-1] + 1) for stretch in stretches)


def add_positions(encoder: Any, tokens: Tensor, windows: Sequence[Window], grid: WindowGrid) -> Tensor:
    """Add the position embedding to patch-embedded windows.

    Args:
        encoder: Whose embedding it is.
        tokens: (n, window, window, C).
        windows: Row and column of each of the n windows.
        grid: The encoder's window grid.

    Returns:
        (n, window, window, C); nothing is added in the padding.

    Raises:
        ValueError: A window that the grid does not have.
    """
    strangers = set(windows) - set(grid.windows)
    if strangers:
        raise ValueError(
            f"window {min(strangers)} does not lie in the {grid.rows}x{grid.columns} window grid"
        )
    positions = grid.partition(encoder.pos_embed)
    placed: Tensor = tokens.to(positions) + positions[[grid.windows.index(window) for window in windows]]
    return placed


def run_window_blocks(
    encoder: Any, tokens: Tensor, windows: Sequence[Window], grid: WindowGrid, first: int, last: int
) -> Tensor:
    """Run blocks `first` to `last`, the latter exclusive, on windows apart.

    The results are those of the whole encoder. There, a window that reaches over the grid's border is padded
    with zeros behind the first normalisation of every block, and what becomes of the padding is dropped
    again. So here the tokens between attentions are the real ones alone.

    Args:
        encoder: The encoder, in any block order.
        tokens: (n, window, window, C), position embedding included; what lies in the padding is ignored.
        windows: Row and column of each of the n windows.
        grid: The encoder's window grid.
        first: Index of the first block to run.
        last: Index after the last block to run.

    Returns:
        (n, window, window, C); zero in the padding.

    Raises:
        ValueError: Tokens of another shape, a window that the grid does not have, or a block that is missing
            or has global attention.
    """
    expected = (len(windows), grid.window, grid.window)
    if tokens.ndim != 4 or tuple(tokens.shape[:3]) != expected:
        raise ValueError(f"expected {expected} tokens of C channels, found {tuple(tokens.shape)}")
    blocks = encoder.blocks[first:last]
    if not 0 <= first <= last <= len(encoder.blocks) or any(not block.window_size for block in blocks):
        raise ValueError(f"blocks {first} to {last} of {len(encoder.blocks)} are not all window blocks")
    inside = _inside(windows, grid).to(tokens.device)
    real = tokens.flatten(0, 2)[inside]
    for block in blocks:
        attended = block.attn(_scatter(block.norm1(real), inside, tokens.shape))
        real = real + attended.flatten(0, 2)[inside]
        real = real + block.mlp(block.norm2(real))
    return _scatter(real, inside, tokens.shape)


def _inside(windows: Sequence[Window], grid: WindowGrid) -> Tensor:
    """Places among the windows' tokens that are no padding, ascending."""
    sizes = torch.tensor([grid.inside(window) for window in windows]).reshape(-1, 2, 1, 1)
    rows, columns = torch.arange(grid.window)[:, None], torch.arange(grid.window)
    return ((rows < sizes[:, 0]) & (columns < sizes[:, 1])).flatten().nonzero()[:, 0]


def _scatter(real: Tensor, inside: Tensor, shape: torch.Size) -> Tensor:
    """Put (N, C) tokens at places `inside` of a zero tensor of `shape`."""
    if len(inside) == shape[:-1].numel():
        return real.reshape(shape)
    return real.new_zeros(shape[:-1].numel(), shape[-1]).index_copy(0, inside, real).reshape(shape)
