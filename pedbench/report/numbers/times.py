"""Times from the picture to the mask of one click: one row a way of measuring, link and defense."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pedbench.report.words.text import PHASES
from pedbench.results.records import Record
from pedbench.results.run import Run
from pedbench.results.statistics import mean, quantile

WAYS = ("wall", "turn-taking", "projected")
"""Ways to come by a time. Times of two ways never stand in one table or figure."""

MANY = 100
"""Samples from which on there is a 99th percentile."""

INPUT_RAILS = ("VDD_IN", "POM_5V_IN")
"""Power rails that carry the power of the whole module of a Jetson."""

_NUMBERS = ["p50", "p50_low", "p50_high", "p90", "p90_low", "p90_high", "p99", "max", "lower bound"]
_COLUMNS = [
    *("way", "link", "dtype", "cell_id", "defense"),
    *_NUMBERS,
    "against_device",
    *PHASES,
    *("bytes up", "bytes down", "energy", "n", "status", "flags"),
]


def times(run: Run) -> pd.DataFrame:
    """Summarise the values of the latency cells.

    Returns:
        Columns way, link, dtype, cell_id, defense; p50 and p90 with 95 % bootstrap intervals, p99 (from `MANY` samples
        on), max and the median lower bound, the mask decoder included; against_device (p50 over that of a defense
        that sends nothing, of the same way and link); medians by phase; bytes of a picture; energy in joules, without
        the decoder; n, status, flags. Seconds. A cell that is not ok has one row, of the way wall, without numbers.
    """
    rows = [row for record in run.of_kind("latency") for row in _rows(run, record)]
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    # One picture has no interval, which would make its column one of objects.
    frame = frame.astype(
        dict.fromkeys([*_NUMBERS, *PHASES, "bytes up", "bytes down", "energy", "n"], "float64")
    )
    alone = frame[frame["bytes up"] == 0].drop_duplicates(["way", "link", "dtype"])
    p50 = alone.set_index(["way", "link", "dtype"])["p50"].to_dict()
    keys = zip(frame["way"], frame["link"], frame["dtype"], strict=True)
    frame["against_device"] = frame["p50"] / pd.Series([p50.get(key) for key in keys], frame.index, float)
    return frame


def _rows(run: Run, record: Record) -> Iterator[dict[str, Any]]:
    head = {
        "link": record.cell.get("link", ""),
        "dtype": record.cell.get("dtype", ""),
        "cell_id": record.cell_id,
        "defense": run.defense(record),
        "status": record.status,
        "flags": "; ".join(record.flags),
    }
    if record.status != "ok":
        yield {"way": "wall", **head}
        return
    values = run.values(record.cell_id)
    sent = {name: _bytes(values, name) for name in ("bytes up", "bytes down")}
    rails = values[(values["metric"] == "energy") & values["region"].isin(INPUT_RAILS)]
    for way in WAYS:
        timed = values[values["metric"] == way]
        if timed.empty and way == "turn-taking" and run.suite.latency.turn_taking and not sent["bytes up"]:
            # What sends nothing takes no turns: it is the same measurement.
            timed = values[values["metric"] == "wall"]
        if not timed.empty:
            energy = {"energy": mean(rails).value} if way == "wall" and not rails.empty else {}
            yield {"way": way, **head, **sent, **energy, **_summary(timed)}


def _bytes(values: pd.DataFrame, name: str) -> float:
    totals = values[values["metric"] == name].groupby("image")["value"].sum()
    return float(totals.mean()) if len(totals) else 0.0


def _summary(timed: pd.DataFrame) -> dict[str, Any]:
    whole = _totals(timed, PHASES)
    row: dict[str, Any] = {"n": len(whole), "max": whole["value"].max()}
    for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        if q < 0.99 or len(whole) >= MANY:
            row |= quantile(whole, q).columns(name)
    row["lower bound"] = _totals(timed, ("lower bound", "decoder"))["value"].median()
    medians = timed.groupby(["region", "image"])["value"].mean().groupby("region").median()
    return row | {phase: medians.get(phase) for phase in PHASES}


def _totals(timed: pd.DataFrame, phases: tuple[str, ...]) -> pd.DataFrame:
    chosen = timed[timed["region"].isin(phases)]
    # A link's rows of one picture are one pass.
    return chosen.groupby("image", sort=False)["value"].sum().reset_index()
