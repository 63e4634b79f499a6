"""Means, tails and intervals of values. The only place where values are averaged.

Intervals are 95 % percentile bootstrap intervals over pictures: all values of a picture are indices together. They are
those of `scipy.stats.bootstrap`, as a test shows; the draws for a number of pictures are made once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pedbench.results.pairing import paired
from pedbench.results.values import Columns

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 2000
"""Bootstrap samples; the intervals' ends are stable to about a fiftieth of their width."""

PERMUTATIONS = 9999
"""Number of sign flips of a test; all of them where there are no more."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its interval.

    Attributes:
        ci95: None below two pictures, or where all values agree.
        n: Number of pictures.
    """

    value: float
    ci95: tuple[float, float] | None
    n: int

    def columns(self, name: str) -> dict[str, float | None]:
        """Return the columns of a table that hold the number and its interval: name, {name}_low and {name}_high."""
        low, high = self.ci95 or (None, None)
        return {name: self.value, f"{name}_low": low, f"{name}_high": high}


@lru_cache(maxsize=16)
def _draws(pictures: int) -> npt.NDArray[np.int64]:
    """Return (draws, pictures): which pictures each bootstrap sample holds."""
    indices: npt.NDArray[np.int64] = np.random.default_rng(0).integers(0, pictures, (RESAMPLES, pictures))
    return indices


def _interval(columns: tuple[npt.NDArray[np.float64], ...], statistic: Any) -> tuple[float, float] | None:
    pictures = len(columns[0])
    if pictures < 2:
        return None
    indices = _draws(pictures)
    with np.errstate(invalid="ignore", divide="ignore"):
        samples = statistic(*(column[indices] for column in columns), axis=-1)
    if not np.isfinite(samples).all():
        return None
    low, high = np.percentile(samples, (2.5, 97.5))
    return float(low), float(high)


def _ratio(top: Any, bottom: Any, axis: int = -1) -> Any:
    return top.sum(axis=axis) / bottom.sum(axis=axis)


def _ratio_of(top: npt.NDArray[np.float64], bottom: npt.NDArray[np.float64]) -> Estimate:
    return Estimate(value=float(_ratio(top, bottom)), ci95=_interval((top, bottom), _ratio), n=len(top))


def mean(values: Columns | pd.DataFrame) -> Estimate:
    """Return the mean over all rows, e.g. annotations, with an interval clustered by picture.

    Args:
        values: Columns image and value; at least one row.
    """
    return _ratio_of(*per_picture(values))


def per_picture(values: Columns | pd.DataFrame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return each picture's sum and count of values that are numbers, in the order of the pictures' names."""
    images = list(values["image"])
    places = {name: place for place, name in enumerate(sorted(set(images)))}
    codes = np.array([places[name] for name in images], np.int64)
    numbers = np.asarray(values["value"], np.float64)
    known = ~np.isnan(numbers)
    sums, counts = (
        np.bincount(codes[known], weights, minlength=len(places)).astype(np.float64)
        for weights in (numbers[known], None)
    )
    return sums, counts


def quantile(values: Columns | pd.DataFrame, q: float, *, interval: bool = True) -> Estimate:
    """Return the q-quantile over pictures, each with the mean of its rows.

    Args:
        interval: Whether to draw one; the bootstrap says nothing of extremes.
    """
    top, bottom = per_picture(values)
    return quantile_over(top / bottom, q, interval=interval)


def mean_over(pictures: npt.NDArray[np.float64]) -> Estimate:
    """Return the same as `mean` for one value a picture."""
    return _ratio_of(pictures, np.ones_like(pictures))


def quantile_over(pictures: npt.NDArray[np.float64], q: float, *, interval: bool = True) -> Estimate:
    """Return the same as `quantile` for one value a picture."""

    statistic = partial(np.quantile, q=q)
    ci95 = _interval((pictures,), statistic) if interval else None
    return Estimate(value=float(statistic(pictures)), ci95=ci95, n=len(pictures))


def retention(values: pd.DataFrame, reference: pd.DataFrame) -> Estimate:
    """Return the mean of `values` over the mean of `reference`, on the annotations that both have.

    Args:
        values: Columns image, annotation, value.
        reference: The undefended model's, alike.

    Raises:
        ValueError: They share no annotation.
    """
    images, one, other = paired(values, reference)
    if not images:
        raise ValueError("no annotation is in both sets of values, so there is nothing to compare")
    top, bottom = (per_picture({"image": images, "value": each})[0] for each in (one, other))
    if not bottom.sum():
        raise ValueError("the undefended model's mean is 0, so nothing can be retained of it")
    return _ratio_of(top, bottom)


@dataclass(frozen=True, kw_only=True)
class Difference(Estimate):
    """A mean difference of paired values.

    Attributes:
        p: Two-sided, of the sign-flip permutation test over pictures: how often a mean at least as far from 0 comes
            about if each picture's difference were as likely to have the other sign.
    """

    p: float


def difference(values: pd.DataFrame, reference: pd.DataFrame) -> Difference:
    """Return the mean of `values` minus that of `reference`, on what both have, with an interval clustered by picture.

    Args:
        values: Columns image, annotation (or constant) and value.
        reference: Likewise.

    Raises:
        ValueError: They share nothing.
    """
    images, one, other = paired(values, reference)
    if not images:
        raise ValueError("no picture or annotation is in both sets of values, so there is nothing to compare")
    apart = [value - expected for value, expected in zip(one, other, strict=True)]
    top, bottom = per_picture({"image": images, "value": apart})
    return Difference(**vars(_ratio_of(top, bottom)), p=sign_flips(top))


def sign_flips(sums: npt.NDArray[np.float64]) -> float:
    """Return p of the sign-flip test, see `Difference`.

    Args:
        sums: (pictures,) differences.
    """
    if len(sums) == 1:
        # One picture's difference is as far from 0 with either sign.
        return 1.0
    from scipy import stats

    test = stats.permutation_test(
        (sums,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=PERMUTATIONS,
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue)


def holm(ps: Sequence[float]) -> list[float]:
    """p values corrected for their number by Holm's step-down method (Scandinavian Journal of Statistics, 1979).

    Returns:
        In the order of `ps`: rejecting those up to a level keeps the chance of any false rejection below it.
    """
    order = np.argsort(ps, kind="stable")
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted


def worst_coalition(values: pd.DataFrame, better: str) -> pd.DataFrame:
    """Return for each picture the value of the coalition that learns most, out of those evaluated.

    Args:
        values: Columns image, servers, value of one metric and region.
        better: "higher" or "lower": what the defender wants; the worst is the opposite extreme.

    Returns:
        One row a picture, with image, servers and value; several rows of a coalition, as of several seeds, are
        averaged before any is chosen.
    """
    values = values.groupby(["image", "servers"], sort=False)["value"].mean().reset_index()
    ordered = values.sort_values(["image", "value", "servers"], ascending=[True, better == "higher", True])
    return ordered.groupby("image", sort=True).head(1)


def worst_values(
    values: pd.DataFrame, better: Callable[[str], str]
) -> Iterator[tuple[str, str, npt.NDArray[np.float64]]]:
    """Yield the values of `worst_coalition` for every metric and region at once, which is many times as fast.

    Args:
        values: Columns metric, region, image, servers, value.
        better: For the name of a metric, as for `worst_coalition`.

    Yields:
        Metric, region, and one value a picture, in the order of the pictures' names.
    """
    signs = {metric: 1.0 if better(metric) == "lower" else -1.0 for metric in values["metric"].unique()}
    each = values.groupby(["metric", "region", "image", "servers"], sort=False)["value"].mean().reset_index()
    each["value"] *= each["metric"].map(signs)
    largest = each.groupby(["metric", "region", "image"], sort=True)["value"].max()
    found: dict[Any, Any] = (
        largest.groupby(level=[0, 1], sort=False).apply(lambda each: each.to_numpy()).to_dict()
    )
    for metric, region in values[["metric", "region"]].drop_duplicates().itertuples(index=False, name=None):
        yield metric, region, found[metric, region] * signs[metric]


def worst_coalition_rows(values: pd.DataFrame, better: str) -> pd.DataFrame:
    """Return all rows, e.g. one a secret, of the coalition that `worst_coalition` picks for each picture."""
    return values.merge(worst_coalition(values, better)[["image", "servers"]], on=["image", "servers"])
