"""Times of defenses as a table: one row for each way of measuring, link and defense."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from pedbench.latency.comparison import Timings
from pedbench.latency.power import INPUT_RAILS
from pedbench.report.words.text import PHASES
from pedbench.results.statistics import Estimate, mean, quantile

FEW = 20
"""Samples below which numbers are flagged."""

MANY = 100
"""Samples from which on there is a 99th percentile."""

_KEYS = ["way", "link", "defense", "servers"]


def summarise(timings: Timings) -> pd.DataFrame:
    """Percentiles of the whole with 95 % bootstrap intervals, medians of the phases, bytes and energy.

    Returns:
        Columns way, link, defense, servers, n, p50, p90, p99 (each with _low and _high; p99 only from `MANY`
        samples on), max, lower_bound (a median, the decoder included), one per phase, bytes_up, bytes_down,
        against_device (p50 over that of on_device, of the same way and link), rail, energy (joules a picture, without
        the decoder), reason (why a row has no numbers).
    """
    rows = [_row(key, group) for key, group in timings.samples.groupby(_KEYS, sort=False)]
    rows += [asdict(problem) for problem in timings.problems]
    frame = pd.DataFrame(rows)
    if "p50" not in frame:
        return frame
    for name in ("bytes_up", "bytes_down"):
        # They are counted once, as neither way nor link changes them.
        frame[name] = frame.groupby(["defense", "servers"])[name].transform("first")
    local = frame[frame["defense"] == "on_device"].set_index(["way", "link"])["p50"]
    frame["against_device"] = [
        p50 / local[way, link] if (way, link) in local.index else float("nan")
        for way, link, p50 in zip(frame["way"], frame["link"], frame["p50"], strict=True)
    ]
    return frame


def _row(key: Any, group: pd.DataFrame) -> dict[str, Any]:
    way, link, defense, servers = key
    phases = group[group["phase"].isin(PHASES)]
    whole = phases.groupby("image", sort=False)["value"].sum().reset_index()
    row: dict[str, Any] = {
        "way": way,
        "link": link,
        "defense": defense,
        "servers": servers,
        "n": len(whole),
    }
    for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        if q < 0.99 or len(whole) >= MANY:
            row |= _with_interval(name, quantile(whole, q))
    row["max"] = whole["value"].max()
    least = group[group["phase"].isin(["lower bound", "decoder"])]
    totals = least.groupby("image", sort=False)["value"].sum().reset_index()
    row["lower_bound"] = quantile(totals, 0.5, interval=False).value
    for phase in PHASES:
        row[phase] = quantile(phases[phases["phase"] == phase], 0.5, interval=False).value
    if way == "wall":
        for name, phase in (("bytes_up", "bytes up"), ("bytes_down", "bytes down")):
            rows = group[group["phase"] == phase]
            totals = rows.groupby("image")["value"].sum().reset_index()
            row[name] = mean(totals).value if len(totals) else 0.0
    for rail in INPUT_RAILS:
        rows = group[group["phase"] == f"energy {rail}"]
        if len(rows):
            row |= {"rail": rail, **_with_interval("energy", mean(rows))}
    return row


def _with_interval(name: str, estimate: Estimate) -> dict[str, float | None]:
    low, high = estimate.ci95 or (None, None)
    return {name: estimate.value, f"{name}_low": low, f"{name}_high": high}
