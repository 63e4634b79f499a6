"""Regions of a frame, and the mean of a metric's map over each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pedbench.pictures.windows import Tile
from pedbench.types import Mask

MARGIN = 5
"""Pixels by which regions are eroded for metrics of neighbourhoods: half an 11-pixel window."""

SMALLEST = 64
"""Minimum pixels of an eroded region; smaller ones have no score."""


def rectangles(mask: Mask) -> list[Tile]:
    """Cut a mask into rectangles that do not overlap: bands of equal rows, and in each band the runs of pixels.

    Args:
        mask: (H, W) bool.
    """
    changes = np.flatnonzero((mask[1:] != mask[:-1]).any(axis=1)) + 1
    tiles = []
    for top, bottom in pairwise([0, *changes.tolist(), len(mask)]):
        edges = np.diff(mask[top].astype(np.int8), prepend=0, append=0)
        lefts, rights = (np.flatnonzero(edges == step).tolist() for step in (1, -1))
        tiles += [Tile(top, left, bottom, right) for left, right in zip(lefts, rights, strict=True)]
    return tiles


def erode(mask: Mask, margin: int = MARGIN) -> Mask:
    """Keep the pixels whose square neighbourhood lies in the mask.

    The frame's edge does not erode: pixels beyond it count as inside.

    Args:
        mask: (H, W) bool.
        margin: Half the side of the neighbourhood in pixels: it is 2 * margin + 1 wide.

    Returns:
        (H, W) bool.
    """
    from scipy.ndimage import minimum_filter1d

    kept = mask.astype(np.uint8)
    for axis in (0, 1):
        kept = minimum_filter1d(kept, 2 * margin + 1, axis=axis, mode="constant", cval=1)
    return kept.astype(np.bool_)


def interior_means(maps: npt.NDArray[np.floating], regions: Mapping[str, Mask]) -> list[dict[str, float]]:
    """Average maps over the eroded regions.

    Args:
        maps: (N, H, W), one map a guess.
        regions: Named (H, W) masks.

    Returns:
        For each map the mean per region; a region that has fewer than 64 pixels left is absent.
    """
    interiors = {name: erode(mask) for name, mask in regions.items()}
    interiors = {name: mask for name, mask in interiors.items() if np.count_nonzero(mask) >= SMALLEST}
    return [
        {name: float(values[mask].mean(dtype=np.float64)) for name, mask in interiors.items()}
        for values in maps
    ]


def squared_error_means(
    guesses: Sequence[npt.NDArray[np.float32]], truth: npt.NDArray[np.float32], regions: Mapping[str, Mask]
) -> list[dict[str, float]]:
    """Average the squared error over the pixels and channels of each region.

    Args:
        guesses: N pictures (H, W, 3).
        truth: (H, W, 3).
        regions: Named (H, W) masks, not eroded.

    Returns:
        For each guess the mean per region; an empty region is absent.

    Raises:
        ValueError: A pixel is not finite.
    """
    present = {name: mask for name, mask in regions.items() if mask.any()}
    if not present:
        return [{} for _ in guesses]
    weights = np.array([mask.ravel() for mask in present.values()], np.float64)
    weights /= truth.shape[2] * weights.sum(axis=1, keepdims=True)
    ones = np.ones(truth.shape[2], np.float32)
    scores = []
    for guess in guesses:
        # Single precision per pixel, double in the sum over pixels.
        squares = np.square(np.subtract(guess, truth, dtype=np.float32)).reshape(-1, len(ones)) @ ones
        if not np.isfinite(squares).all():
            raise ValueError("expected finite pixels")
        scores.append(dict(zip(present, (weights @ squares.astype(np.float64)).tolist(), strict=True)))
    return scores
