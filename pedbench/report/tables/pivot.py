"""Pivoting of tidy rows into one table with a line for each cell of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pedbench.report.tables.table import Cell, Column, Interval, Table, columns
from pedbench.report.words.inline import Code, Inline, Strong
from pedbench.report.words.text import NOTHING


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric that gets a column of the table.

    Attributes:
        title: Heading of the column, without the arrow.
        regions: Several share the column, separated by slashes and without intervals.
        fields: Columns of the tidy frame that hold value, low, high.
        group: Name of the columns that pages show together; they show those without one in each group.
    """

    title: str
    name: str
    regions: tuple[str, ...]
    fields: tuple[str, str, str] = ("value", "low", "high")
    group: str = ""


def names_in(rows: pd.DataFrame) -> list[str]:
    """Return the metrics' names in the order of the cell that has most of them, then of appearance."""
    if rows.empty:
        return []
    fullest = rows[rows["cell_id"] == rows["cell_id"].mode()[0]]
    return [name for name in dict.fromkeys([*fullest["metric"], *rows["metric"]]) if name]


def pivot(
    title: Inline,
    rows: pd.DataFrame,
    keys: Sequence[str],
    metrics: Sequence[Metric],
    flags: Mapping[str, str],
) -> Table:
    """Return a table of the cells in `rows`, in their order.

    A cell that is not ok shows its status in the place of its first number.

    Args:
        keys: Columns that name a line.
        metrics: Those without any number in `rows` get no column.
        flags: Flag -> letter.
    """
    most = int(rows["n"].max())
    present = [metric for metric in metrics if not _of_metric(rows, metric).empty]
    lines: list[list[Cell]] = []
    cells: dict[str, list[dict[Any, Any]]] = {}
    for row in rows.to_dict("records"):
        cells.setdefault(row["cell_id"], []).append(row)
    for cell in cells.values():
        first = cell[0]
        known = {(row["metric"], row["region"]): row for row in cell}
        numbers = [_numbers(known, metric) for metric in present]
        if first["status"] != "ok":
            numbers = [Strong(first["status"]), *[None] * max(len(present) - 1, 0)]
        names = [Code(first[key]) if first[key] else NOTHING for key in keys]
        pictures = count(max(int(row["n"]) for row in cell), most)
        lines.append([*names, *numbers, pictures, letters(first["flags"], flags)])
    head = columns(*keys, text=True)
    head += [_column(rows, metric) for metric in present] or columns("status")
    return Table(title=title, columns=head + columns("n") + columns("flags", optional=True), rows=lines)


def count(pictures: int, most: int) -> Cell:
    """Return a row's number of pictures, marked where other rows have more."""
    return f"{pictures} of {most}" if 0 < pictures < most else pictures


def letters(names: str, flags: Mapping[str, str]) -> str:
    """Return a tidy row's flags as letters."""
    return ", ".join(flags[name] for name in names.split("; ") if name)


def _of_metric(rows: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    value = metric.fields[0]
    return rows[(rows["metric"] == metric.name) & rows["region"].isin(metric.regions) & rows[value].notna()]


def _column(rows: pd.DataFrame, metric: Metric) -> Column:
    first = _of_metric(rows, metric).iloc[0]
    unit = first["unit"] if metric.fields[0] == "value" else ""
    return Column(title=metric.title, better=first["better"], unit=unit, group=metric.group)


def _numbers(known: Mapping[tuple[str, str], Mapping[Any, Any]], metric: Metric) -> Cell:
    """Return the metric's number in each region."""
    rows = [known.get((metric.name, region)) for region in metric.regions]
    numbers = [Interval(*(None if row is None else row[name] for name in metric.fields)) for row in rows]
    if len(numbers) == 1:
        return numbers[0]
    if all(pd.isna(number.value) for number in numbers):
        return None
    return tuple(part for number in numbers for part in (" / ", number.value))[1:]
