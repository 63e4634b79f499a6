"""Numbers that others report about the same question: shown next to what was measured, never mixed with it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import pandas as pd
import tomli

from pedbench.report.tables.table import Cell, Interval, Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.text import NOTHING
from pedbench.results.run import Run
from pedbench.validity.flags import UNVERIFIED

_PROTOCOL = "saf"
"""The prompt of the reported mIoU: one point an object, as segment-anything-fast places it."""


def published_table(run: Run, utility: pd.DataFrame, latency: pd.DataFrame) -> Table:
    """Return mIoU on COCO's val2017 by one point (protocol `saf`), and the time of the encoder.

    What a run on COCO measured of the same model has columns of its own.

    Args:
        run: The run whose report this is.
        utility: From `tidy.utility`.
        latency: From `tidy.latency`.
    """
    path = resources.files("pedbench.report.tables") / "published.toml"
    reported = tomli.loads(path.read_text(encoding="utf-8"))["rows"]
    head = columns("reported", "source", text=True)
    head += columns(f"mIoU on COCO, {_PROTOCOL}", better="higher") + columns("encoder", better="lower")
    lines = [[row["reported"], _source(row), row["miou"], row.get("encoder", NOTHING)] for row in reported]
    measured = [_measured(row, run, utility, latency) for row in reported]
    if not any(measured):
        return Table(title="Reported elsewhere, not measured here", columns=head, rows=lines)
    head += columns(f"measured here: mIoU, {_PROTOCOL}", better="higher")
    head += columns("pictures") + columns("end to end", unit="s", better="lower")
    lines = [[*line, *(cells or [None] * 3)] for line, cells in zip(lines, measured, strict=True)]
    return Table(title="Reported elsewhere", columns=head, rows=lines)


def _source(row: Mapping[str, Any]) -> Cell:
    return (row["source"], ", ", Code(row["file"])) if "file" in row else row["source"]


def _measured(row: Mapping[str, Any], run: Run, utility: pd.DataFrame, latency: pd.DataFrame) -> list[Cell]:
    """Return the cells that this run adds to a reported row; empty where it did not measure the same."""
    if (run.suite.dataset.name, run.suite.model) != (row["dataset"], row["model"]):
        return []
    for label in run.matching(**row["defense"]):
        mine = utility[(utility["defense"] == label) & (utility["metric"] == f"mIoU[{_PROTOCOL}]")]
        mine = mine[(mine["region"] == "all") & (mine["status"] == "ok")]
        if mine.empty:
            continue
        number = mine.iloc[0]
        wall = latency[(latency["defense"] == label) & (latency["metric"] == "wall p50")]
        wall = wall[(wall["region"] == "end to end") & (wall["status"] == "ok")]
        doubt = f", {UNVERIFIED}" if UNVERIFIED in number["flags"].split("; ") else ""
        miou = (Interval(number["value"], number["low"], number["high"]), doubt)
        return [miou, int(number["n"]), None if wall.empty else wall.iloc[0]["value"]]
    return []
