"""The numbers of one cell against those that were accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pedbench.regression.judged_numbers import is_judged
from pedbench.regression.measured import Measured
from pedbench.regression.tolerance import ROUNDING
from pedbench.regression.verdicts import Line, Verdict
from pedbench.results.records import MetricValue, Record
from pedbench.results.statistics import difference
from pedbench.validity.families import RECEIVED

KEYS = ["image", "annotation"]


def compare_numbers(base: Measured, new: Measured, one: Record, other: Record) -> Iterator[Line]:
    """Compare every number of a cell, the judged ones first.

    Args:
        one: Of `base`, with status ok.
        other: The same cell in `new`, with status ok.
    """
    pairs = _pairs(base.values(one), new.values(other))
    found = {(metric.name, metric.region): metric for metric in other.metrics}
    judged = [metric for metric in one.metrics if is_judged(one.cell, metric)]
    for metric in judged:
        counterpart = found.get((metric.name, metric.region))
        about = _about(one, metric)
        if counterpart is None:
            yield Line(**about, verdict="missing", base=metric.value, note="the run has no such number")
        elif counterpart.version != metric.version:
            versions = f"metric: version {metric.version} -> {counterpart.version}"
            yield Line(
                **about, verdict="not comparable", base=metric.value, new=counterpart.value, note=versions
            )
        else:
            both = pairs[metric.name, metric.region]
            found_out = _judge(both, base.tolerances.allowed(metric), metric.better)
            yield Line(**about, base=metric.value, new=counterpart.value, **found_out)
    known = {(metric.name, metric.region) for metric in one.metrics}
    for counterpart in other.metrics:
        if (counterpart.name, counterpart.region) not in known and is_judged(one.cell, counterpart):
            yield Line(**_about(one, counterpart), verdict="new", new=counterpart.value, n=counterpart.n)
    yield from _unjudged(one, other)


def _about(record: Record, metric: MetricValue) -> dict[str, Any]:
    return {
        "cell_id": record.cell_id,
        "metric": metric.name,
        "region": metric.region,
        "better": metric.better,
        "unit": metric.unit,
    }


def _pairs(accepted: pd.DataFrame, measured: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    """Pair the values by metric and region; value or value_accepted may be missing."""
    both = measured.merge(accepted, on=["metric", "region", *KEYS], how="outer", suffixes=("", "_accepted"))
    return dict(iter(both.groupby(["metric", "region"], sort=False)))


def _judge(both: pd.DataFrame, tolerance: float, better: str) -> dict[str, Any]:
    """Return verdict, difference, interval and n of one number."""
    gaps = both[["value", "value_accepted"]].isna().any(axis=1)
    if gaps.any():
        lost, came = int(both["value"].isna().sum()), int(both["value_accepted"].isna().sum())
        note = f"of {len(both) - came} values {lost} are missing and {came} are new"
        return {"verdict": "missing", "n": both.loc[~gaps, "image"].nunique(), "note": note}
    both = both.assign(difference=both["value"] - both["value_accepted"])
    # Most runs repeat the baseline exactly, and drawing samples takes its time.
    if both["difference"].abs().max() == 0:
        facts: dict[str, Any] = {"difference": 0.0, "ci95": None, "n": both["image"].nunique()}
        return {"verdict": "same", "tolerance": tolerance, **facts}
    apart = difference(both, both[KEYS].assign(value=both["value_accepted"]))
    facts = {"difference": apart.value, "ci95": apart.ci95, "n": apart.n, "tolerance": tolerance}
    if abs(apart.value) <= tolerance:
        return {"verdict": "same", **facts}
    if not (_excludes_zero(apart.ci95) or _one_sided(both, apart.value, tolerance)):
        return {"verdict": "unclear", **facts}
    verdict: Verdict = "better" if (apart.value > 0) == (better == "higher") else "worse"
    return {"verdict": verdict, **facts}


def _excludes_zero(ci95: tuple[float, float] | None) -> bool:
    return ci95 is not None and (ci95[0] > 0 or ci95[1] < 0)


def _one_sided(both: pd.DataFrame, mean: float, tolerance: float) -> bool:
    """Return whether no picture differs the other way by more than the tolerance."""
    each = both.groupby("image")["difference"].mean()
    return bool((each >= -tolerance).all() if mean > 0 else (each <= tolerance).all())


def _unjudged(one: Record, other: Record) -> Iterator[Line]:
    """Yield what else differs; times are left out, as no two are equal."""
    found = {(metric.name, metric.region): metric for metric in other.metrics}
    for metric in one.metrics:
        counterpart = found.get((metric.name, metric.region))
        if counterpart is None or is_judged(one.cell, metric) or metric.unit == "s":
            continue
        apart = counterpart.value - metric.value
        if abs(apart) > ROUNDING * max(1.0, abs(metric.value)):
            yield Line(
                **_about(one, metric),
                verdict="not judged",
                base=metric.value,
                new=counterpart.value,
                difference=apart,
                n=counterpart.n,
            )
    # What was received is a fact that records of earlier versions leave out, and no flaw.
    before, after = ({f for f in each.flags if not f.startswith(RECEIVED)} for each in (one, other))
    gone, came = before - after, after - before
    if gone or came:
        note = ", ".join([*(f"+ {flag}" for flag in sorted(came)), *(f"- {flag}" for flag in sorted(gone))])
        yield Line(cell_id=one.cell_id, verdict="not judged", metric="flags", note=note)
