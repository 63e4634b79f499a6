"""Root mean square error of a guess over a region's pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pedbench.base import Metric
from pedbench.pictures.regions import squared_error_means
from pedbench.types import Mask, Picture


def root_mean_square_error(
    guesses: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
) -> list[dict[str, float]]:
    """Compute the root of the mean squared difference over a region's pixels and channels.

    Args:
        guesses: N pictures (H, W, 3) in [0, 1].
        truth: (H, W, 3) in [0, 1].
        regions: Named (H, W) masks.

    Returns:
        For each guess the error per region, in [0, 1]; an empty region is absent.

    Examples:
        >>> black, grey = np.zeros((2, 2, 3), np.float32), np.full((2, 2, 3), 0.5, np.float32)
        >>> root_mean_square_error([grey], black, {"whole": np.ones((2, 2), bool)})
        [{'whole': 0.5}]
    """
    return [
        {name: float(np.sqrt(error)) for name, error in errors.items()}
        for errors in squared_error_means(guesses, truth, regions)
    ]


@dataclass(kw_only=True)
class RootMeanSquareError(Metric):
    """Root mean square error over the region's pixels, on a scale where white is 1."""

    name = "root_mean_square_error"
    version = 1
    column = "RMSE"
    better = "higher"
    bounds = (0.0, 1.0)
    exact = 0.0

    def __call__(
        self, guess: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
    ) -> list[dict[str, float]]:
        return root_mean_square_error(guess, truth, regions)
