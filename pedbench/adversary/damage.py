"""Damage that servers do by the pixels they hold: what these pixels take from the error of a one-colour guess.

Damage adds up over pixels, so it is known for thousands of coalitions at once. It is measured with the truth, to find
the coalitions whose views are worth attacking; no attack knows it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pedbench.types import Picture

BLOCK = 4
"""Side in pixels of the blocks within which contrast is measured."""

KINDS = 4
"""Kinds of damage."""

_C1, _C2 = 0.01**2, 0.03**2
"""Constants of SSIM for values in [0, 1]."""


def damage_maps(truth: Picture, colour: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return what each pixel takes from the error of a guess of one colour, once it is known.

    Args:
        truth: (H, W, 3) in [0, 1].
        colour: (3,) in [0, 1], the colour of the guess.

    Returns:
        (`KINDS`, H, W), at least 0: squared error, 1 - SSIM, standard deviation, and 1, for which damage is an area.
        SSIM and deviation are of blocks of `BLOCK` pixels; SSIM has a closed form as the guess has no contrast.
    """
    guess = np.asarray(colour, np.float64)
    pixels = truth.astype(np.float64)
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // BLOCK, BLOCK, padded.shape[1] // BLOCK, BLOCK, 3)
    mean, variance = blocks.mean(axis=(1, 3)), blocks.var(axis=(1, 3))
    luminance = (2 * mean * guess + _C1) / (np.square(mean) + np.square(guess) + _C1)
    dissimilarity = (1 - luminance * _C2 / (variance + _C2)).mean(axis=-1)
    contrast = np.sqrt(variance).mean(axis=-1)
    of_blocks = np.stack([dissimilarity, contrast]).repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)
    squares = np.square(pixels - guess).mean(axis=-1)
    return np.concatenate([squares[None], of_blocks[:, :height, :width], np.ones((1, height, width))])


class Damages:
    """Damage of coalitions.

    Args:
        covered: (servers, H, W) bool, the pixels that each server holds.
        maps: (kinds, H, W), from `damage_maps`.
    """

    def __init__(self, covered: npt.NDArray[np.bool_], maps: npt.NDArray[np.float64]) -> None:
        # Pixels are summed up by which servers hold them, of which there are few patterns.
        flat = covered.reshape(len(covered), -1)
        patterns, places = np.unique(np.packbits(flat, axis=0), axis=1, return_inverse=True)
        self._patterns = np.unpackbits(patterns, axis=0, count=len(flat)).astype(np.float32)
        places, count = places.reshape(-1), patterns.shape[1]
        sums = [np.bincount(places, each.reshape(-1), count) for each in maps]
        self._weights: npt.NDArray[np.float64] = np.stack(sums, axis=1)

    def __call__(self, coalitions: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Return the damage (N, kinds) of coalitions (N, servers)."""
        known = coalitions.astype(np.float32) @ self._patterns > 0
        damage: npt.NDArray[np.float64] = known @ self._weights
        return damage
