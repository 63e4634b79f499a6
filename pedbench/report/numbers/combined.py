"""The combined table: one row a defense, with what one would ask first about each axis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from pedbench.report.numbers.strongest import strongest
from pedbench.report.numbers.tidy import latency, privacy, utility
from pedbench.results.run import Run, once_per_run
from pedbench.suites.cell import canonical_json

_BAD = ("failed", "invalid")

_TIE = 1e-9
"""Attacks whose means differ by less are equally strong."""


def rules_of(frame: pd.DataFrame) -> list[str]:
    """Return the coalition rules that the combined table has columns for, as those columns end: c{c}_m{m}."""
    prefix = "privacy_status_"
    return [name.removeprefix(prefix) for name in frame.columns if name.startswith(prefix)]


@once_per_run
def combined(run: Run) -> pd.DataFrame:
    """Return one row a defense, in the order of the plan.

    The utility columns are about the first protocol's first prompt, on medium and large objects where sizes
    are known. Privacy is about the first metric that has a leakage; of each coalition rule (columns with
    `_c{c}_m{m}`) the attack with the largest mean leakage is reported and named, and so is the one with the
    largest mean advantage, which may be another; `_ties` counts others that are as strong.
    privacy_complete_c{c}_m{m} is false where an attack failed or has not run, so that these numbers are lower
    bounds. Latency is about the first link, end to end.

    Returns:
        Numbers as four columns, NAME_value, _low, _high and _n; utility_status, privacy_status_c{c}_m{m} and
        latency_status are "" where nothing was planned; failed, invalid and skipped count a defense's cells.
    """
    useful, received, timed = utility(run), run.headline(privacy(run)), latency(run)
    headline = _headline(useful)
    disclosed = _first(privacy(run), r"leakage\[.*\]")
    rules = list(dict.fromkeys(zip(received["c"], received["m"], strict=True)))
    links = timed[["link", "dtype"]].drop_duplicates().head(1)
    rows = []
    for label, identity in run.defenses.items():
        row: dict[str, Any] = {"defense": label, "parameters": canonical_json(identity["params"])}
        row |= _utility(useful[useful["defense"] == label], *headline)
        mine = received[received["defense"] == label]
        row["leakage_metric"] = disclosed
        for c, m in rules:
            rows_of_rule = mine[(mine["c"] == c) & (mine["m"] == m)]
            row |= dict(_privacy(rows_of_rule, disclosed, f"c{c}_m{m}"))
            row[f"privacy_complete_c{c}_m{m}"] &= not run.missing
        row |= _latency(timed[timed["defense"] == label].merge(links, on=["link", "dtype"]))
        statuses: list[str] = [record.status for record in run.records if run.defense(record) == label]
        rows.append(row | {status: statuses.count(status) for status in (*_BAD, "skipped")})
    frame = pd.DataFrame(rows)
    counts = [name for name in frame.columns if name.endswith("_n")]
    numbers = [name for name in frame.columns if name.endswith(("_value", "_low", "_high"))]
    return frame.astype(dict.fromkeys(counts, "Int64") | dict.fromkeys(numbers, "float64"))


def _headline(utility: pd.DataFrame) -> tuple[str, str, str]:
    """Protocol, metric and region."""
    ok = utility[utility["metric"] != ""]
    if ok.empty:
        return "", "", ""
    first = ok.iloc[0]
    same = ok[(ok["protocol"] == first["protocol"]) & (ok["metric"] == first["metric"])]
    return first["protocol"], first["metric"], "ML" if (same["region"] == "ML").any() else "all"


def _first(rows: pd.DataFrame, pattern: str) -> str:
    return next((name for name in rows["metric"] if re.fullmatch(pattern, name)), "")


def _utility(rows: pd.DataFrame, protocol: str, metric: str, region: str) -> dict[str, Any]:
    mine = rows[rows["protocol"] == protocol] if protocol else rows
    found = mine[(mine["metric"] == metric) & (mine["region"] == region) & (mine["status"] == "ok")]
    number = None if found.empty else found.iloc[0]
    retention = {
        "retention_value": None if number is None else number["retention"],
        **{name: None if number is None else number[name] for name in ("retention_low", "retention_high")},
        "retention_n": None if number is None else number["retention_n"],
    }
    return {
        "utility_protocol": protocol,
        "utility_metric": metric,
        "utility_region": region,
        **_number("utility", number),
        **retention,
        "utility_status": _status(mine),
        "utility_flags": _flags(number),
    }


def _privacy(rows: pd.DataFrame, leakage: str, rule: str) -> Iterator[tuple[str, Any]]:
    geometry = rows[(rows["attack"] == "") & (rows["metric"] == "visible share")]
    yield from _number(f"visible_share_{rule}", None if geometry.empty else geometry.iloc[0]).items()
    attacked = rows[rows["attack"] != ""]
    for name, metric in (("leakage", leakage), ("advantage", leakage.replace("leakage", "advantage", 1))):
        found = attacked[(attacked["metric"] == metric) & (attacked["status"] == "ok") & (metric != "")]
        best = strongest(found)
        yield from _number(f"{name}_{rule}", best).items()
        yield f"{name}_{rule}_attack", "" if best is None else best["attack"]
        alike = found["value"].to_numpy(float)
        ties = 0 if best is None else np.isclose(alike, best["value"], rtol=0, atol=_TIE).sum() - 1
        yield f"{name}_{rule}_ties", int(ties)
        yield f"{name}_{rule}_flags", _flags(best)
    yield f"privacy_complete_{rule}", not attacked["status"].isin(_BAD).any()
    yield f"privacy_status_{rule}", _status(rows)


def _latency(rows: pd.DataFrame) -> dict[str, Any]:
    ok = rows[rows["status"] == "ok"]

    def number(prefix: str, metric: str, regions: tuple[str, ...]) -> dict[str, Any]:
        found = ok[(ok["metric"] == metric) & ok["region"].isin(regions)]
        return _number(prefix, None if found.empty else found.iloc[0])

    return {
        "link": "" if rows.empty else rows.iloc[0]["link"],
        "dtype": "" if rows.empty else rows.iloc[0]["dtype"],
        **number("wall_p50", "wall p50", ("end to end",)),
        **number("turn_taking_p50", "turn-taking p50", ("end to end",)),
        **number("bytes_up", "bytes up", ("", "all")),
        **number("bytes_down", "bytes down", ("", "all")),
        "latency_status": _status(rows),
        "latency_flags": _flags(None if ok.empty else ok.iloc[0]),
    }


def _number(prefix: str, row: Any) -> dict[str, Any]:
    return {f"{prefix}_{part}": None if row is None else row[part] for part in ("value", "low", "high", "n")}


def _flags(row: Any) -> str:
    return "" if row is None else str(row["flags"])


def _status(rows: pd.DataFrame) -> str:
    """Return the gravest status; "skipped" only if all are."""
    present = set(rows["status"])
    return next((status for status in ("failed", "invalid", "ok", "skipped") if status in present), "")
