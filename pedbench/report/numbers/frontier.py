"""The frontier: utility against leakage of defenses with a strength, and what they keep at another's leakage.

Strengths are those of sweeps, and the defense that others are compared with is the suite's `compare_with`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pedbench.privacy.claims import WORDS
from pedbench.report.numbers.combined import combined, measures_of, rule_of, rules_of, utility_values
from pedbench.report.numbers.curves import LEAST_POINTS, swept
from pedbench.report.numbers.speaking import contests
from pedbench.report.numbers.words_read import words_read
from pedbench.results.cross_fitting import in_order, resampled
from pedbench.results.run import Run, once_per_run
from pedbench.results.statistics import mean
from pedbench.suites.cell import canonical_json

Draws = npt.NDArray[np.float64]
"""A number and its bootstrap draws: (1 + draws,), the number of all pictures first."""

_POINTS = [
    "curve", "parameter", "setting", "studied", "measure", "defense", "network",
    *(f"{name}_{part}" for name in ("utility", "leakage") for part in ("value", "low", "high")), "bound", "n",
]  # fmt: skip
_EQUAL = [
    "measure", "defense", "leakage_value", "bound", "utility_value", "utility_low", "utility_high",
    "baseline", "equal_value", "equal_low", "equal_high", "equal_bound",
    "gain_value", "gain_low", "gain_high", "least", "n",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Point:
    """A strength by one measure.

    Attributes:
        defense: The row whose messages were attacked.
        network: The row with the same messages that keeps most utility.
        n: Number of pictures of the leakage.
    """

    setting: float
    defense: str
    network: str
    utility: Draws
    leakage: Draws
    bound: bool
    n: int


@dataclass(frozen=True, kw_only=True)
class _Curve:
    name: str
    parameter: str
    studied: bool
    points: Mapping[str, Sequence[_Point]]


@once_per_run
def frontier(run: Run) -> pd.DataFrame:
    """Return the points of all curves, by measure: leakages under the suite's first rule, and words read.

    Returns:
        Columns `_POINTS`: curve is the plugin's name, studied whether it is the one that others are compared with;
        utility is that of network, the best of the rows that send what defense sends. Empty without a sweep.
    """
    rows = [
        {
            "curve": curve.name, "parameter": curve.parameter, "setting": point.setting, "studied": curve.studied,
            "measure": measure, "defense": point.defense, "network": point.network,
            **_number("utility", point.utility), **_number("leakage", point.leakage),
            "bound": point.bound, "n": point.n,
        }
        for curve in _curves(run)
        for measure, points in curve.points.items()
        for point in points
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=_POINTS)


@once_per_run
def equal_leakage(run: Run) -> pd.DataFrame:
    """Return what the best strength of each baseline keeps where it leaks at most what the studied defense leaks.

    Strengths are interpolated between neighbours, anew in each bootstrap draw.

    Returns:
        Columns `_EQUAL`: bound is true where the studied defense's leakage is a lower bound. equal is the baseline's
        utility, absent where no strength leaks as little, and least the least leakage that it reaches; equal_bound is
        true where a strength's leakage is a lower bound, so that the baseline keeps at most equal. gain is the studied
        defense's utility minus equal.
    """
    curves = _curves(run)
    rows = []
    for studied in (curve for curve in curves if curve.studied):
        for measure, points in studied.points.items():
            for point in points:
                for curve in (each for each in curves if not each.studied and measure in each.points):
                    others = curve.points[measure]
                    kept = _kept(others, point.leakage)
                    rows.append(
                        {
                            "measure": measure, "defense": point.network, "leakage_value": point.leakage[0],
                            "bound": point.bound, **_number("utility", point.utility), "baseline": curve.name,
                            **_number("equal", kept), "equal_bound": any(other.bound for other in others),
                            **_number("gain", point.utility - kept),
                            "least": min(other.leakage[0] for other in others), "n": point.n,
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows, columns=_EQUAL)


def _kept(points: Sequence[_Point], most: Draws) -> Draws:
    """Return the largest utility along a curve where leakage is at most `most`; NaN where it never is."""
    leakage, utility = (
        np.stack([getattr(point, name) for point in points]) for name in ("leakage", "utility")
    )
    allowed = [np.where(leakage <= most, utility, -np.inf)]
    for this, other in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (most - leakage[this]) / (leakage[other] - leakage[this])
            between = utility[this] + part * (utility[other] - utility[this])
        allowed.append(np.where((part >= 0) & (part <= 1), between, -np.inf))
    best = np.concatenate(allowed).max(axis=0)
    return np.where(np.isfinite(best), best, np.nan)


def _number(name: str, draws: Draws) -> dict[str, Any]:
    """Return a number with its interval; an end beyond which some draws have no number is absent."""
    low, high = np.quantile(np.nan_to_num(draws[1:], nan=-np.inf), (0.025, 0.975), method="nearest")
    ends = [float(end) if np.isfinite(end) and np.isfinite(draws[0]) else None for end in (low, high)]
    return {f"{name}_value": float(draws[0]), f"{name}_low": ends[0], f"{name}_high": ends[1]}


@once_per_run
def _curves(run: Run) -> list[_Curve]:
    if not rules_of(combined(run)):
        return []
    frame = combined(run).set_index("defense", drop=False)
    reference = run.suite.compare_with
    found: dict[str, tuple[str, dict[float, list[str]]]] = {}
    for _, parameter, members in swept(run):
        for setting, label in members.items():
            identity = run.defenses[label]
            rest = {k: v for k, v in identity["params"].items() if k not in (parameter, "weights")}
            key = canonical_json([identity["name"], parameter, rest])
            found.setdefault(key, (parameter, {}))[1].setdefault(setting, []).append(label)
    curves = []
    for parameter, settings in found.values():
        name = run.defenses[next(iter(settings.values()))[0]]["name"]
        points: dict[str, list[_Point]] = {}
        for setting, labels in sorted(settings.items()):
            for measure, point in _measured(run, frame, setting, labels):
                points.setdefault(measure, []).append(point)
        whole = {measure: each for measure, each in points.items() if len(each) >= LEAST_POINTS}
        studied = reference is not None and name == reference.name
        if whole:
            curves.append(_Curve(name=name, parameter=parameter, studied=studied, points=whole))
    return curves


def _measured(
    run: Run, frame: pd.DataFrame, setting: float, labels: Sequence[str]
) -> Iterator[tuple[str, _Point]]:
    """Yield measure and point of rows that send the same messages."""
    rule = rules_of(frame)[0]
    useful = {label: draws for label in labels if (draws := _utility(run, frame.loc[label])) is not None}
    if not useful:
        return
    network = max(useful, key=lambda label: float(useful[label][0]))
    for label in labels:
        for measure in (*measures_of(frame), WORDS):
            found = _leakage(run, label, rule, measure)
            if found is not None:
                leakage, pictures = found
                bound = bool(frame.loc[label].get(f"{measure}_{rule}_bound", False))
                yield measure, _Point(
                    setting=setting, defense=label, network=network,
                    utility=useful[network], leakage=leakage, bound=bound, n=pictures,
                )  # fmt: skip


def _leakage(run: Run, label: str, rule: str, measure: str) -> tuple[Draws, int] | None:
    c, m = rule_of(rule)
    if measure == WORDS:
        read = words_read(run, label, c, m)
        pictures = max((each["image"].nunique() for each in read), default=0)
        return (np.max([_draws_of(run, each) for each in read], axis=0), pictures) if read else None
    contest = contests(run).get(((label, c, m), measure))
    fitted = contest.fitted if contest else None
    if fitted is None or set(fitted.pictures["image"]) != set(_images(run)):
        return None
    return np.concatenate([[fitted.estimate.value], fitted.draws]), fitted.estimate.n


def _utility(run: Run, row: Any) -> Draws | None:
    values = utility_values(run, row)
    return None if values is None else _draws_of(run, values)


def _draws_of(run: Run, values: pd.DataFrame) -> Draws:
    """Return the mean of values and its draws, of the same pictures for everything in a run."""
    order = in_order(_images(run))
    groups = values[values["image"].isin(order)].groupby("image")["value"]
    sums, counts = (
        getattr(groups, name)().reindex(order).fillna(0).to_numpy(float) for name in ("sum", "count")
    )
    counted = np.concatenate(resampled(len(order)), axis=1)[:, : len(order)]
    with np.errstate(invalid="ignore"):
        draws = (counted @ sums) / (counted @ counts)
    return np.concatenate([[mean(values).value], draws])


@once_per_run
def _images(run: Run) -> list[str]:
    """Return the pictures of the best measured contest: those of every curve."""
    sizes = [sorted(set(contest.values["image"])) for contest in contests(run).values()]
    return max(sizes, key=len, default=[])
