"""Peak signal-to-noise ratio of a guess over a region's pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pedbench.base import Metric
from pedbench.pictures.regions import squared_error_means
from pedbench.types import Mask, Picture

CEILING = 100.0
"""Score in dB of an exact copy, whose ratio is infinite. An error of 1/255 in every pixel scores 48 dB."""


def peak_signal_noise_ratio(
    guesses: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
) -> list[dict[str, float]]:
    """Compute the ratio of the squared peak, 1, to the mean squared error over a region's pixels.

    Args:
        guesses: N pictures (H, W, 3) in [0, 1].
        truth: (H, W, 3) in [0, 1].
        regions: Named (H, W) masks.

    Returns:
        For each guess the ratio in decibels per region, at most 100; an empty region is absent.

    Examples:
        >>> black, grey = np.zeros((2, 2, 3), np.float32), np.full((2, 2, 3), 0.1, np.float32)
        >>> round(peak_signal_noise_ratio([grey], black, {"whole": np.ones((2, 2), bool)})[0]["whole"], 3)
        20.0
    """
    smallest = 10 ** (-CEILING / 10)
    return [
        {name: float(-10 * np.log10(max(error, smallest))) for name, error in errors.items()}
        for errors in squared_error_means(guesses, truth, regions)
    ]


@dataclass(kw_only=True)
class PeakSignalNoiseRatio(Metric):
    """Peak signal-to-noise ratio over the region's pixels, in decibels below a peak of 1."""

    name = "peak_signal_noise_ratio"
    version = 1
    column = "PSNR"
    better = "lower"
    unit = "dB"
    bounds = (0.0, CEILING)

    def __call__(
        self, guess: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
    ) -> list[dict[str, float]]:
        return peak_signal_noise_ratio(guess, truth, regions)
