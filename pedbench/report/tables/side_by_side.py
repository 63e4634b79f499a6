"""The table of two runs side by side."""

from __future__ import annotations

import pandas as pd

from pedbench.report.tables.table import Cell, Column, Table, columns
from pedbench.report.words.inline import Code, Strong
from pedbench.report.words.text import estimate, quantity

NOTE = (
    "Two runs of the suite: the number of the first → that of the second, and their difference, picture by picture, "
    "with a 95 % bootstrap interval. **Bold**: the interval excludes 0. Times of two machines differ by the machines."
)
"""Markdown above the table."""


def side_table(frame: pd.DataFrame) -> Table:
    """Return one line a defense, with a column for each measure.

    Args:
        frame: From `numbers.side_by_side`, with at least one row.
    """
    measures = list(dict.fromkeys(frame["measure"]))
    versions = bool(frame["versions"].str.contains("→").any())
    head = columns("defense", *(["version"] if versions else []), text=True)
    head += [Column(title=measure, group=measure) for measure in measures]
    head += columns("n", group="counts")
    lines: list[list[Cell]] = []
    for defense, rows in frame.groupby("defense", sort=False):
        line: list[Cell] = [Code(str(defense)), *([rows["versions"].iloc[0]] if versions else [])]
        known = rows.set_index("measure")
        line += [_cell(known.loc[measure]) if measure in known.index else None for measure in measures]
        lines.append([*line, int(rows["n"].max())])
    return Table(title="Side by side", columns=head, rows=lines)


def _cell(row: pd.Series) -> Cell:
    unit = str(row["unit"])
    apart = estimate(row["difference"], row["low"], row["high"], unit)
    excludes = pd.notna(row["low"]) and (row["low"] > 0 or row["high"] < 0)
    return (
        f"{quantity(row['first'], unit)} → {quantity(row['second'], unit)}\n",
        Strong(apart) if excludes else apart,
    )
