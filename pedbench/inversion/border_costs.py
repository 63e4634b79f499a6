"""Costs of putting two tiles of a picture next to each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial.distance import cdist

from pedbench.types import Picture

Scores = npt.NDArray[np.float64]

MISFIT = 1e4
"""Cost of neighbours that cannot be: the same piece, or borders of different lengths."""
_ALONG = 3
"""Pixels along a border that are averaged: edges cross it at an angle, and noise averages out."""


def border_costs(tiles: Sequence[Picture], own: npt.NDArray[np.bool_]) -> Scores:
    """Return the cost (n, n) of tile j right of tile i: log of their difference relative to the usual one.

    Args:
        tiles: (h, w, 3) each.
        own: (n, n), whether two tiles are the same piece, which cannot lie next to itself.
    """
    differences = np.full(own.shape, np.nan)
    heights = np.array([tile.shape[0] for tile in tiles])
    for height in np.unique(heights):
        alike = np.flatnonzero(heights == height)
        right, left = (
            ndimage.uniform_filter1d(np.stack([tiles[i][:, column] for i in alike.tolist()]), _ALONG, axis=1)
            .reshape(len(alike), -1)
            .astype(np.float64)
            for column in (-1, 0)
        )
        # A flat border must not count as infinitely compatible.
        differences[np.ix_(alike, alike)] = cdist(right, left, "sqeuclidean") / right.shape[1] + 1e-6
    differences[own] = np.nan
    logarithms = np.log(differences)
    usual = np.zeros((2, len(tiles)))
    for axis in (0, 1):
        known = ~np.isnan(logarithms).all(axis=axis)
        lines = logarithms[:, known] if axis == 0 else logarithms[known].T
        usual[axis, known] = np.nanmedian(lines, axis=0)
    scores: Scores = np.nan_to_num(logarithms - (usual[0][None, :] + usual[1][:, None]) / 2, nan=MISFIT)
    return scores
