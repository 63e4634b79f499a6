"""The strongest attack of a group, selected on one half of the pictures and reported on the other.

Selection and report on the same pictures would favour whichever attack was lucky on them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pedbench.results.statistics import RESAMPLES, Estimate


@dataclass(frozen=True, kw_only=True)
class CrossFitted:
    """A cross-fitted mean over pictures.

    Attributes:
        estimate: The mean and its 95 % percentile bootstrap interval; attacks are selected anew in each draw.
        attacks: The attacks selected on the two halves; one where both agree.
    """

    estimate: Estimate
    attacks: tuple[str, ...]


def cross_fit(values: pd.DataFrame) -> CrossFitted | None:
    """Select the attack with the largest mean on each half of the pictures, and average it over the other half.

    Candidates are the attacks that have a value for every picture.

    Args:
        values: Columns attack, image, value; one row per attack and picture.

    Returns:
        None below two pictures, where there are no two halves, or without a candidate.
    """
    table = values.pivot(index="attack", columns="image", values="value").dropna(axis=0)
    if table.empty or table.shape[1] < 2:
        return None
    # By a hash, so that neither the order of a dataset nor of attacks decides.
    table = table[sorted(table.columns, key=_digest)].loc[sorted(table.index, key=_digest)]
    numbers = table.to_numpy(float)
    middle = numbers.shape[1] // 2
    halves = (numbers[:, :middle], numbers[:, middle:])
    every = tuple(np.ones((1, half.shape[1])) for half in halves)
    names = (str(table.index[half.mean(axis=1).argmax()]) for half in halves)
    rng = np.random.default_rng(0)
    resampled = tuple(
        rng.multinomial(half.shape[1], np.full(half.shape[1], 1 / half.shape[1]), RESAMPLES).astype(float)
        for half in halves
    )
    low, high = np.quantile(_means(halves, resampled), (0.025, 0.975))
    estimate = Estimate(
        value=float(_means(halves, every)[0]), ci95=(float(low), float(high)), n=numbers.shape[1]
    )
    return CrossFitted(estimate=estimate, attacks=tuple(dict.fromkeys(names)))


def _means(
    halves: tuple[npt.NDArray[np.float64], ...], weights: tuple[npt.NDArray[np.float64], ...]
) -> npt.NDArray[np.float64]:
    """Cross-fitted means for draws of pictures.

    Args:
        halves: (attacks, pictures) each.
        weights: (draws, pictures) each: how often a draw holds a picture.

    Returns:
        (draws,).
    """
    sums = [counts @ half.T for half, counts in zip(halves, weights, strict=True)]
    draws = np.arange(len(sums[0]))
    pictures = sum(float(counts[0].sum()) for counts in weights)
    first, second = (total.argmax(axis=1) for total in sums)
    result: npt.NDArray[np.float64] = (sums[1][draws, first] + sums[0][draws, second]) / pictures
    return result


def _digest(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()
