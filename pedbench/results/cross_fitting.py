"""The strongest attack of a group, selected on one half of the pictures and reported on the other.

Selection and report on the same pictures would favour whichever attack was lucky on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from pedbench.results.statistics import RESAMPLES, Difference, Estimate, sign_flips

LEAST_PICTURES = 4
"""Pictures from which on there is an interval: a half of one picture is the same in each bootstrap draw."""

_TIE = 9
"""Decimals in which attacks differ that are not equally strong; of equals the first by a hash is selected."""


@dataclass(frozen=True, kw_only=True)
class CrossFitted:
    """A cross-fitted mean over pictures.

    Attributes:
        estimate: The mean and its 95 % percentile bootstrap interval; attacks are selected anew in each draw.
        attacks: The attacks selected on the two halves; one where both agree.
        pictures: Columns image, value: what each picture has in the mean.
        draws: (RESAMPLES,) means of the bootstrap draws.
    """

    estimate: Estimate
    attacks: tuple[str, ...]
    pictures: pd.DataFrame
    draws: npt.NDArray[np.float64]


def cross_fit(values: pd.DataFrame) -> CrossFitted | None:
    """Select the attack with the largest mean on each half of the pictures, and average it over the other half.

    Candidates are the attacks that have a value for every picture.

    Args:
        values: Columns attack, image, value; one row per attack and picture.

    Returns:
        None without a candidate. A single picture has no halves: the strongest attack on it is reported.
    """
    images, attacks, numbers = _table(values)
    if not attacks:
        return None
    count = len(images)
    middle = count // 2
    halves = (numbers[:, :middle], numbers[:, middle:]) if middle else (numbers, numbers)
    first, second = (int(_rounded(half.mean(axis=1)).argmax()) for half in halves)
    reported = np.concatenate([numbers[second, :middle], numbers[first, middle:]])
    draws = _means(halves, resampled(count))
    low, high = (float(end) for end in np.quantile(draws, (0.025, 0.975)))
    return CrossFitted(
        estimate=Estimate(
            value=float(reported.mean()), ci95=(low, high) if count >= LEAST_PICTURES else None, n=count
        ),
        attacks=tuple(dict.fromkeys(attacks[place] for place in (first, second))),
        pictures=pd.DataFrame({"image": images, "value": reported}),
        draws=draws,
    )


def cross_fitted_difference(values: pd.DataFrame, reference: pd.DataFrame) -> Difference | None:
    """Return a cross-fitted mean minus another, on the pictures that both have.

    Bootstrap draws take the same pictures of both, and select attacks anew.

    Args:
        values: As for `cross_fit`.
        reference: Likewise.

    Returns:
        None where they share no picture, or one of them has no candidate there.
    """
    images = [set(each["image"]) for each in (values, reference)]
    if images[0] != images[1]:
        shared = images[0] & images[1]
        values, reference = (each[each["image"].isin(shared)] for each in (values, reference))
    one, other = cross_fit(values), cross_fit(reference)
    if one is None or other is None:
        return None
    low, high = (float(end) for end in np.quantile(one.draws - other.draws, (0.025, 0.975)))
    # Both have the pictures in the same order.
    apart = (one.pictures["value"] - other.pictures["value"]).to_numpy(float)
    return Difference(
        value=float(apart.mean()),
        ci95=(low, high) if len(apart) >= LEAST_PICTURES else None,
        n=len(apart),
        p=sign_flips(apart),
    )


def in_order(names: Iterable[str]) -> list[str]:
    """Return names by a hash: the order of pictures in which `resampled` counts them."""
    return sorted(names, key=_digest)


@lru_cache(maxsize=16)
def resampled(pictures: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return how often each bootstrap draw holds the pictures of the first half and of the second, (draws, half) each.

    A single picture is both halves.
    """
    rng = np.random.default_rng(0)
    sizes = (pictures // 2, pictures - pictures // 2) if pictures > 1 else (1, 1)
    first, second = (
        rng.multinomial(size, np.full(size, 1 / size), RESAMPLES).astype(float) for size in sizes
    )
    return first, second


def _table(values: pd.DataFrame) -> tuple[list[str], list[str], npt.NDArray[np.float64]]:
    """Return pictures, the attacks that have a value for each of them, and the values, (attacks, pictures).

    Both are ordered by a hash, so that neither the order of a dataset nor of attacks decides.
    """
    images = in_order(set(values["image"]))
    places = {image: place for place, image in enumerate(images)}
    rows: dict[str, npt.NDArray[np.float64]] = {}
    for attack, image, value in zip(
        *(values[name].to_list() for name in ("attack", "image", "value")), strict=True
    ):
        rows.setdefault(attack, np.full(len(images), np.nan))[places[image]] = value
    attacks = in_order(attack for attack, row in rows.items() if not np.isnan(row).any())
    return images, attacks, np.array([rows[attack] for attack in attacks])


def _means(
    halves: tuple[npt.NDArray[np.float64], ...], weights: tuple[npt.NDArray[np.float64], ...]
) -> npt.NDArray[np.float64]:
    """Return cross-fitted means for draws of pictures, (draws,).

    Args:
        halves: (attacks, pictures) each.
        weights: (draws, pictures) each: how often a draw holds a picture.
    """
    sums = [counts @ half.T for half, counts in zip(halves, weights, strict=True)]
    draws = np.arange(len(sums[0]))
    pictures = sum(float(counts[0].sum()) for counts in weights)
    first, second = (_rounded(total).argmax(axis=1) for total in sums)
    result: npt.NDArray[np.float64] = (sums[1][draws, first] + sums[0][draws, second]) / pictures
    return result


def _rounded(means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.round(means, _TIE)


@lru_cache(maxsize=1 << 16)
def _digest(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()
