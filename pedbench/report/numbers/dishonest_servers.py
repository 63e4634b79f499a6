"""Utility while servers lie, and how often a liar was detected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pedbench.results.records import Record
from pedbench.results.run import REFERENCE, Run
from pedbench.results.statistics import difference
from pedbench.results.summary import EXPECTED, FOUND, SIZES
from pedbench.suites.cell import Lie, canonical_json

COLUMNS = [
    "cell_id", "defense", "parameters", "protocol", "lie", "liars", "servers", "checks", "metric", "region", "better",
    "value", "low", "high", "n", "difference", "difference_low", "difference_high", "passes", "found", "expected",
    "status", "reason", "flags",
]  # fmt: skip
HONEST = "none"
"""The lie of the rows that others are compared with."""

_REGIONS = ("all", "ML")


def integrity(run: Run) -> pd.DataFrame:
    """mIoU (or agreement) of each defense while servers lie, beside that with honest servers.

    Returns:
        Columns `COLUMNS`: difference is the mean minus that of honest servers, paired by annotation; found counts the
        passes in which one of the liars was, expected is the mean probability of that. The rows of honest servers,
        with lie "none", have neither. Empty where the suite has no lies.
    """
    rows: list[dict[str, Any]] = []
    honest = {_measured(record): record for record in run.of_kind("utility")}
    shown: set[str] = set()
    for record in run.of_kind("integrity"):
        reference, lie = honest.get(_measured(record)), Lie(**record.cell["lie"])
        if reference is not None and reference.cell_id not in shown:
            shown.add(reference.cell_id)
            none = {"lie": HONEST, "liars": 0, "servers": lie.servers, "checks": 0}
            rows += _rows(run, reference, none, None)
        facts = {"lie": lie.label, "liars": lie.liars, "servers": lie.servers, "checks": lie.checks}
        rows += _rows(run, record, facts, reference)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    numbers = ("value", "low", "high", "difference", "difference_low", "difference_high", "expected")
    counts = ("liars", "servers", "checks", "n", "passes", "found")
    return frame.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(counts, "Int64"))


def _measured(record: Record) -> str:
    """Return the defense and the protocol of a record as a key."""
    return canonical_json([record.cell["defense"], record.cell.get("protocol", "")])


def _rows(
    run: Run, record: Record, facts: Mapping[str, Any], reference: Record | None
) -> Iterator[dict[str, Any]]:
    common = {
        "cell_id": record.cell_id,
        "defense": run.defense(record),
        "parameters": canonical_json(record.cell["defense"]["params"]),
        "protocol": record.cell.get("protocol", ""),
        **facts,
        "status": record.status,
        "reason": record.reason,
        "flags": "; ".join(flag for flag in record.flags if flag != REFERENCE),
    }
    if record.status != "ok":
        yield {**common, "metric": "", "region": "", "better": "", "n": 0}
        return
    passes = {metric.name: metric for metric in record.metrics if metric.name in (FOUND, EXPECTED)}
    if passes:
        common |= {
            "passes": passes[FOUND].n,
            "found": round(passes[FOUND].value * passes[FOUND].n),
            "expected": passes[EXPECTED].value,
        }
    scored = reference is not None and reference.status == "ok"
    mine = run.values(record.cell_id)
    theirs = run.values(reference.cell_id) if reference is not None and scored else None
    for metric in record.metrics:
        if metric.name in passes or metric.region not in _REGIONS or metric.name.endswith(", per picture"):
            continue
        low, high = metric.ci95 or (None, None)
        number = {
            "metric": metric.name,
            "region": metric.region,
            "better": metric.better,
            "value": metric.value,
            "low": low,
            "high": high,
            "n": metric.n,
        }
        yield {**common, **number, **_change(mine, theirs, metric.name, metric.region)}


def _change(
    mine: pd.DataFrame, theirs: pd.DataFrame | None, metric: str, region: str
) -> dict[str, float | None]:
    if theirs is None:
        return {}
    name, sizes = re.sub(r"^mIoU\[", "IoU[", metric), SIZES.get(region)
    chosen = [
        values[
            (values["metric"] == name) & (sizes is None or values["tag"].str.split().str[0].isin(sizes or ()))
        ]
        for values in (mine, theirs)
    ]
    return difference(*chosen).columns("difference")
