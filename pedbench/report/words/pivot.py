"""From tidy rows to one Markdown table with a line for each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pedbench.report.words.text import NOTHING, arrow, code, estimate, table


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of numbers.

    Attributes:
        header: Markdown, without the arrow.
        metric: Name of the metric.
        regions: Several stand in one column, separated by slashes and without intervals.
        of: Columns of the tidy frame that hold value, low, high.
    """

    header: str
    metric: str
    regions: tuple[str, ...]
    of: tuple[str, str, str] = ("value", "low", "high")


def names_in(rows: pd.DataFrame) -> list[str]:
    """The metrics' names in the order of the cell that has most of them, then of appearance."""
    if rows.empty:
        return []
    fullest = rows[rows["cell_id"] == rows["cell_id"].mode()[0]]
    return [name for name in dict.fromkeys([*fullest["metric"], *rows["metric"]]) if name]


def pivot(
    rows: pd.DataFrame, keys: Sequence[str], columns: Sequence[Column], flags: Mapping[str, str]
) -> str:
    """A Markdown table of the cells in `rows`, in their order.

    A cell that is not ok shows its status where its first number would stand.

    Args:
        keys: Columns that name a line, with code in them.
        columns: Those without any number in `rows` are left out.
        flags: Flag -> letter.
    """
    present = [c for c in columns if not _of_column(rows, c).empty]
    lines = []
    for _, cell in rows.groupby("cell_id", sort=False):
        first = cell.iloc[0]
        known: dict[tuple[str, str], Any] = {
            (row["metric"], row["region"]): row for row in cell.to_dict("records")
        }
        numbers = [_number(known, column) for column in present]
        if first["status"] != "ok":
            numbers = [f"**{first['status']}**", *[NOTHING] * max(len(present) - 1, 0)]
        line = [code(first[key]) if first[key] else NOTHING for key in keys]
        lines.append([*line, *numbers, str(cell["n"].max()), letters(first["flags"], flags)])
    headers = [f"{c.header}{arrow(_of_column(rows, c)['better'].iloc[0])}" for c in present] or ["status"]
    flagged = any(line[-1] for line in lines)
    if not flagged:
        lines = [line[:-1] for line in lines]
    return table([*keys, *headers, "n", *(["flags"] if flagged else [])], lines, left=len(keys))


def letters(names: str, flags: Mapping[str, str]) -> str:
    """A tidy row's flags as letters."""
    return ", ".join(flags[name] for name in names.split("; ") if name)


def _of_column(rows: pd.DataFrame, column: Column) -> pd.DataFrame:
    value = column.of[0]
    return rows[(rows["metric"] == column.metric) & rows["region"].isin(column.regions) & rows[value].notna()]


def _number(known: Mapping[tuple[str, str], Any], column: Column) -> str:
    texts = []
    for region in column.regions:
        row = known.get((column.metric, region))
        if row is None or pd.isna(row[column.of[0]]):
            texts.append(NOTHING)
            continue
        value, low, high = (row[name] for name in column.of)
        if len(column.regions) > 1:
            low = high = None
        texts.append(estimate(value, low, high, row["unit"] if column.of[0] == "value" else ""))
    return NOTHING if set(texts) == {NOTHING} else " / ".join(texts)
