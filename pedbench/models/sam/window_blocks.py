"""Blocks with window attention, on any subset of windows and in any block order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from torch import Tensor

from pedbench.models.sam.blocks import run_windows
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Window


def window_runs(encoder: Any) -> tuple[tuple[int, int], ...]:
    """Return the runs of consecutive window blocks: first index of each, and the index after its last."""
    runs = groupby(enumerate(encoder.blocks), key=lambda item: item[1].window_size > 0)
    stretches = [[index for index, _ in items] for windowed, items in runs if windowed]
    return tuple((stretch[0], stretch[-1] + 1) for stretch in stretches)


def add_positions(encoder: Any, tokens: Tensor, windows: Sequence[Window], grid: WindowGrid) -> Tensor:
    """Add the position embedding to patch-embedded windows.

    Args:
        encoder: The encoder, for its position embedding.
        tokens: (n, window, window, C).
        windows: Row and column of each of the n windows.
        grid: The encoder's window grid.

    Returns:
        (n, window, window, C); padding is unchanged.

    Raises:
        ValueError: The grid has no such window.
    """
    embedding, side = encoder.pos_embed[0], grid.window
    positions = embedding.new_zeros(len(windows), side, side, embedding.shape[2])
    for index, (row, column) in enumerate(windows):
        height, width = grid.inside((row, column))
        positions[index, :height, :width] = embedding[row * side :, column * side :][:height, :width]
    placed: Tensor = tokens.to(positions) + positions
    return placed


def run_window_blocks(
    encoder: Any, tokens: Tensor, windows: Sequence[Window], grid: WindowGrid, first: int, last: int
) -> Tensor:
    """Run blocks `first` to `last`, the latter exclusive, on separate windows.

    The results are those of the whole encoder. It pads border windows with zeros after the first normalisation of
    every block and drops the padding again, so between attentions only real tokens matter.

    Args:
        encoder: The encoder, in any block order.
        tokens: (n, window, window, C), position embedding included; padding is ignored.
        windows: Row and column of each of the n windows.
        grid: The encoder's window grid.
        first: Index of the first block to run.
        last: Index after the last block to run.

    Returns:
        (n, window, window, C); zero in the padding.

    Raises:
        ValueError: The tokens' shape differs, the grid lacks a window, or a block is missing or has global
            attention.
    """
    expected = (len(windows), grid.window, grid.window)
    if tokens.ndim != 4 or tuple(tokens.shape[:3]) != expected:
        raise ValueError(f"expected {expected} tokens of C channels, found {tuple(tokens.shape)}")
    blocks = encoder.blocks[first:last]
    if not 0 <= first <= last <= len(encoder.blocks) or any(not block.window_size for block in blocks):
        raise ValueError(f"blocks {first} to {last} of {len(encoder.blocks)} are not all window blocks")
    return run_windows(blocks, tokens, windows, grid)
