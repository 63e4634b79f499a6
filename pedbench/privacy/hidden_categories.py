"""Categories of objects where a coalition sees nothing, and scores of guesses of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from pedbench.privacy.claims import LEAST_AREA
from pedbench.types import Instance, Mask

MOST_SEEN = 0.1
"""Largest share of an object's pixels that a coalition may see of a hidden object."""

Present = npt.NDArray[np.bool_]
"""(K,) bool, whether an object of each category is hidden."""

Probabilities = npt.NDArray[np.float64]
"""(K,) in (0, 1), the guessed probability of each category."""


def hidden_categories(instances: Iterable[Instance], visible: Mask, categories: Sequence[str]) -> Present:
    """Return the categories of which a coalition sees hardly any pixel of some object.

    Objects below 32 x 32 pixels and crowds do not count.

    Args:
        instances: Of the picture.
        visible: (H, W) bool in the frame, the coalition's visible pixels; scaled to the size of the picture.
        categories: The K names.
    """
    present = np.zeros(len(categories), np.bool_)
    for instance in instances:
        if instance.area >= LEAST_AREA and not instance.crowd and instance.mask.any():
            rows, columns = (
                np.arange(length) * side // length
                for length, side in zip(instance.mask.shape, visible.shape, strict=True)
            )
            seen = visible[rows[:, None], columns][instance.mask].mean()
            present[categories.index(instance.category)] |= bool(seen <= MOST_SEEN)
    return present


def average_precision(scores: npt.NDArray[np.float64], present: Present) -> float:
    """Return the average precision of a ranking; NaN if nothing is present.

    Equal scores share one threshold, so a constant score has the share of what is present.

    Args:
        scores: (n,), higher means more probable.
        present: (n,) bool.

    Examples:
        >>> average_precision(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]))
        0.8333333333333333
    """
    if not present.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    hits = np.cumsum(present[order])[ends]
    recall = hits / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0) * hits / (ends + 1)))


def mean_average_precision(probabilities: npt.NDArray[np.float64], present: Present) -> float:
    """Return the mean over the categories that are present anywhere of the average precision over views.

    Args:
        probabilities: (n, K).
        present: (n, K) bool.
    """
    found = [
        average_precision(probabilities[:, k], present[:, k])
        for k in range(present.shape[1])
        if present[:, k].any()
    ]
    return float(np.mean(found)) if found else float("nan")


def bits_over_prior(
    probabilities: npt.NDArray[np.float64], prior: Probabilities, present: Present
) -> npt.NDArray[np.float64]:
    """Return by how many bits a guess describes each view better than the prior does, over all categories.

    0 for the prior itself; negative for a guess that is surer than it is right.

    Args:
        probabilities: (n, K) in (0, 1).
        prior: (K,) in (0, 1), the rates on training scenes.
        present: (n, K) bool.

    Returns:
        (n,) bits.

    Examples:
        >>> bits_over_prior(np.array([[0.5, 0.9]]), np.array([0.25, 0.9]), np.array([[True, True]]))
        array([1.])
    """

    def bits(guessed: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        total: npt.NDArray[np.float64] = np.log2(np.where(present, guessed, 1 - guessed)).sum(axis=1)
        return total

    difference: npt.NDArray[np.float64] = bits(probabilities) - bits(np.broadcast_to(prior, present.shape))
    return difference
