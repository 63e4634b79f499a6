"""Values of coalitions of at most c servers: members may be ignored, so what fewer servers learn counts as well.

Hidden parts are an exception: each coalition has its own, and a score over another one is another quantity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import comb, inf
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pedbench.results.claim_summary import claim_metrics
from pedbench.results.records import MetricValue, Record
from pedbench.results.run import Run, once_per_run
from pedbench.results.statistics import mean_over, quantile_over
from pedbench.results.summary import TAILS, geometry_metrics
from pedbench.suites.cell import canonical_json

_QUESTION = ("kind", "defense", "attack", "read_out", "probe", "source")
"""Fields of a cell that, but for the coalition rule, say what is asked."""

_KEY = ["image", "annotation", "region", "servers", "request", "seed", "metric"]
"""Columns that distinguish the values of a cell."""

_HIDDEN = "hidden"


def size(record: Record) -> float:
    """Return the number of servers of a record's coalition rule; infinite for all servers."""
    c = record.cell["coalition"]["c"]
    return inf if c == "N" else float(c)


def question(record: Record) -> str:
    """Return what a record asks of coalitions, whatever their size, as a key."""
    return canonical_json([record.cell.get(name) for name in _QUESTION])


def same_question(run: Run, record: Record) -> list[Record]:
    """Return the records with values that ask the same of coalitions of at most as many servers, the smallest first."""
    return [each for each in _questions(run).get(question(record), ()) if size(each) <= size(record)]


@once_per_run
def _questions(run: Run) -> Mapping[str, Sequence[Record]]:
    found: dict[str, list[Record]] = {}
    for record in run.records:
        if "coalition" in record.cell and record.status == "ok":
            found.setdefault(question(record), []).append(record)
    return {key: sorted(records, key=size) for key, records in found.items()}


def worst_at_most(run: Run, record: Record) -> pd.DataFrame:
    """Return what the worst coalition of at most as many servers gives each attack on a record's defense.

    Args:
        record: Of a privacy cell.

    Returns:
        Columns question (from `question`), metric, region, image and value, one row each. The mean over an attack's
        seeds counts.
    """
    defense, servers = canonical_json(record.cell["defense"]), size(record)
    kept = _kept(run)
    if (defense, servers) not in kept:
        each = _by_size(run, defense)
        counted = each["servers"] == servers
        counted |= (each["servers"] < servers) & (each["region"] != _HIDDEN)
        kept[defense, servers] = _worst(run, each[counted], ["question", "metric", "region", "image"])
    return kept[defense, servers]


@once_per_run
def _kept(run: Run) -> dict[tuple[str, float | None], pd.DataFrame]:
    return {}


def _by_size(run: Run, defense: str) -> pd.DataFrame:
    """Return the worst values of all attacks on a defense by the size of the coalitions, in the column servers."""
    kept = _kept(run)
    if (defense, None) not in kept:
        tables = []
        for record in run.of_kind("privacy"):
            mine = "attack" in record.cell and canonical_json(record.cell["defense"]) == defense
            if mine and record.status == "ok":
                values = run.values(record.cell_id)[["metric", "region", "image", "servers", "value"]]
                values = values.rename(columns={"servers": "coalition"})
                tables.append(values.assign(question=question(record), servers=size(record)))
        key = ["question", "servers", "metric", "region", "image"]
        values = pd.concat(tables) if tables else pd.DataFrame(columns=[*key, "coalition", "value"])
        each = values.groupby([*key, "coalition"], sort=False)["value"].mean().reset_index()
        kept[defense, None] = _worst(run, each.astype({"servers": "float64", "value": "float64"}), key)
    return kept[defense, None]


def _worst(run: Run, values: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Return the value that is worst for the defender, for each key."""
    signs = {name: -1.0 if _better(run).get(name) == "higher" else 1.0 for name in values["metric"].unique()}
    harm = values.assign(value=values["value"] * values["metric"].map(signs).astype("float64"))
    largest = harm.groupby(list(key), sort=True)["value"].max().reset_index()
    return largest.assign(value=largest["value"] * largest["metric"].map(signs).astype("float64"))


@once_per_run
def _better(run: Run) -> Mapping[str, str]:
    """Return which way the defender wants each metric of attacks to go; those that no record names go down."""
    records = [record for record in run.of_kind("privacy") if "attack" in record.cell]
    return {metric.name: metric.better for record in records for metric in record.metrics}


def numbers_at_most(run: Run, record: Record) -> tuple[MetricValue, ...]:
    """Return the numbers of a record about coalitions, with those of fewer servers counted as well.

    Args:
        record: With status ok.
    """
    same = same_question(run, record)
    if len(same) < 2:
        return record.metrics
    if "probe" in record.cell:
        return claim_metrics(values_at_most(run, record))
    if "attack" not in record.cell:
        return geometry_metrics(values_at_most(run, record))
    worst = _changed_by_fewer(run, record).get(question(record), {})
    return tuple(_recomputed(metric, worst) for metric in record.metrics)


def _changed_by_fewer(run: Run, record: Record) -> Mapping[str, Mapping[Any, npt.NDArray[np.float64]]]:
    """Return what fewer servers change of the numbers of all attacks on a record's defense.

    Returns:
        By `question`, then by metric and region: one value a picture, the worst coalition of at most as many servers.
    """
    defense, servers = canonical_json(record.cell["defense"]), size(record)
    known = _changes(run)
    if (defense, servers) not in known:
        key = ["question", "metric", "region", "image"]
        alone = _by_size(run, defense)
        alone = alone[alone["servers"] == servers][[*key, "value"]]
        both = worst_at_most(run, record).merge(alone, on=key, how="left", suffixes=("", "_alone"))
        found: dict[str, dict[Any, npt.NDArray[np.float64]]] = {}
        for (about, *name), rows in both.groupby(key[:-1], sort=False)[["value", "value_alone"]]:
            worst, own = rows.to_numpy(float).T
            if (worst != own).any():
                found.setdefault(str(about), {})[tuple(name)] = worst
        known[defense, servers] = found
    return known[defense, servers]


@once_per_run
def _changes(run: Run) -> dict[tuple[str, float], Mapping[str, Mapping[Any, npt.NDArray[np.float64]]]]:
    return {}


def _recomputed(metric: MetricValue, worst: Mapping[Any, npt.NDArray[np.float64]]) -> MetricValue:
    name, tail = next(
        ((metric.name.removesuffix(end), q) for end, q in TAILS.items() if metric.name.endswith(end)),
        (metric.name, None),
    )
    if (name, metric.region) not in worst:
        return metric
    values = worst[name, metric.region]
    found = mean_over(values) if tail is None else quantile_over(values, tail[metric.better], interval=False)
    return replace(metric, value=found.value, ci95=found.ci95, n=found.n)


def values_at_most(run: Run, record: Record) -> pd.DataFrame:
    """Return the values of all coalitions of at most c servers about what was received, or what probes read.

    A value that is about no coalition, such as an object's exposure, is the largest over the rules.

    Args:
        record: Of a privacy cell without an attack, or of one about claims.
    """
    tables = [run.values(each.cell_id) for each in same_question(run, record)]
    values = pd.concat(tables, ignore_index=True).sort_values("value", ascending=False, kind="stable")
    return values.drop_duplicates(_KEY).sort_index()


def evaluated_coalitions(run: Run, records: Sequence[Record]) -> str:
    """Return how many coalitions of a rule were evaluated, of how many there are of servers that received anything.

    Args:
        records: About what was received, under one rule.
    """
    for record in records:
        values = run.values(record.cell_id)
        seen = values[values["metric"] == "visible share"]
        if record.status != "ok" or seen.empty:
            continue
        evaluated = int(seen.groupby("image")["servers"].nunique().max())
        active = values[(values["metric"] == "content share") & (values["value"] > 0)]
        servers = int(active.groupby("image")["servers"].nunique().max()) if len(active) else 0
        members = int(min(size(record), servers))
        return f"{evaluated} of {max(evaluated, comb(servers, members))}"
    return ""
