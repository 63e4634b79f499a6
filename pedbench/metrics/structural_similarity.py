"""Structural similarity of a guess with a Gaussian window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

from pedbench.base import Metric
from pedbench.pictures.regions import interior_means
from pedbench.types import Mask, Picture

Plane = npt.NDArray[np.float64]

RADIUS = 5
SIGMA = 1.5
LUMINANCE = 0.01**2
CONTRAST = 0.03**2
STRIP = 16


@lru_cache(maxsize=8)
def _strips(length: int) -> tuple[tuple[slice, slice, Plane], ...]:
    """Return the window along an axis as small dense matrices: rows written, rows read, weights.

    Matrix products over strips take about half the time of a correlation in float64. float32 would lose
    the sixth digit where the picture is flat; a dense matrix for the whole axis costs more.
    """
    window = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    band = correlate1d(np.eye(length), window / window.sum(), axis=0, mode="reflect")
    strips = []
    for start in range(0, length, STRIP):
        stop = min(start + STRIP, length)
        read = slice(max(start - RADIUS, 0), min(stop + RADIUS, length))
        strips.append((slice(start, stop), read, np.ascontiguousarray(band[start:stop, read])))
    return tuple(strips)


def _smooth(plane: Plane) -> Plane:
    """Average around every pixel with the window; the plane is mirrored at its edges (edge pixel twice)."""
    down, both = np.empty_like(plane), np.empty_like(plane)
    for write, read, weights in _strips(plane.shape[0]):
        np.matmul(weights, plane[read], out=down[write])
    for write, read, weights in _strips(plane.shape[1]):
        np.matmul(down[:, read], weights.T, out=both[:, write])
    return both


def similarity_maps(guesses: Sequence[Picture], truth: Picture) -> npt.NDArray[np.float64]:
    """Compute the structural similarity at every pixel, averaged over channels.

    Gaussian window of 11 pixels with sigma 1.5, population covariance, constants 0.01 and 0.03 on a
    data range of 1 (Wang et al., "Image quality assessment: from error visibility to structural
    similarity", 2004).

    Args:
        guesses: N pictures (H, W, 3) in [0, 1].
        truth: (H, W, 3) in [0, 1].

    Returns:
        (N, H, W) in [-1, 1].
    """
    maps = np.zeros((len(guesses), *truth.shape[:2]))
    for channel in range(truth.shape[2]):
        x = np.ascontiguousarray(truth[..., channel], np.float64)
        mean_x = _smooth(x)
        square_x = mean_x * mean_x
        variance_x = _smooth(x * x) - square_x
        for index, guess in enumerate(guesses):
            y = np.ascontiguousarray(guess[..., channel], np.float64)
            mean_y = _smooth(y)
            squares = mean_y * mean_y
            products = mean_x * mean_y
            variances = _smooth(y * y)
            variances -= squares
            variances += variance_x
            covariance = _smooth(x * y)
            covariance -= products
            squares += square_x
            score = (2 * products + LUMINANCE) * (2 * covariance + CONTRAST)
            score /= (squares + LUMINANCE) * (variances + CONTRAST)
            maps[index] += score
    maps /= truth.shape[2]
    return maps


def structural_similarity(
    guesses: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
) -> list[dict[str, float]]:
    """Average the similarity map over each region eroded by 5 pixels.

    Args:
        guesses: N pictures (H, W, 3) in [0, 1].
        truth: (H, W, 3) in [0, 1].
        regions: Named (H, W) masks.

    Returns:
        For each guess the similarity per region; absent where fewer than 64 pixels are left.

    Examples:
        >>> black, grey = np.zeros((9, 9, 3), np.float32), np.full((9, 9, 3), 0.1, np.float32)
        >>> score = structural_similarity([black, grey], black, {"whole": np.ones((9, 9), bool)})
        >>> [round(values["whole"], 4) for values in score]
        [1.0, 0.0099]
    """
    return interior_means(similarity_maps(guesses, truth), regions)


@dataclass(kw_only=True)
class StructuralSimilarity(Metric):
    """Structural similarity, Gaussian window of 11 pixels, over the region eroded by 5 pixels."""

    name = "structural_similarity"
    version = 1
    cite = "Wang et al., Image quality assessment: from error visibility to structural similarity, 2004"
    column = "SSIM"
    better = "lower"
    bounds = (-1.0, 1.0)
    exact = 1.0

    def __call__(
        self, guess: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
    ) -> list[dict[str, float]]:
        return structural_similarity(guess, truth, regions)
