"""The table of what defenses with a strength keep at the leakage of the defense that is studied."""

from __future__ import annotations

import pandas as pd

from pedbench.report.tables.table import Cell, Interval, Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.text import NOTHING, quantity

EQUAL_NOTE = (
    "Utility at equal leakage: the largest mIoU along a defense's strengths, each with its best network, where a "
    "measure is at most what it is for the defense in the first column, with 95 % bootstrap intervals. Strengths are "
    "interpolated between neighbours. (least x): no strength leaks as little, and x is the least that one does. ≥: "
    "a lower bound takes part."
)
"""Markdown below the table."""


def equal_table(equal: pd.DataFrame) -> Table:
    """Return one line a measure and setting of the studied defense, with a column for each baseline.

    Args:
        equal: From `numbers.frontier.equal_leakage`, with at least one row.
    """
    baselines = list(dict.fromkeys(equal["baseline"]))
    head = columns("defense", "measure", text=True) + columns("at most", better="lower")
    head += columns("its mIoU", *baselines, better="higher") + columns("n")
    lines: list[list[Cell]] = []
    for (measure, defense), rows in equal.groupby(["measure", "defense"], sort=False):
        first = rows.iloc[0]
        sign = "≥ " if rows["bound"].any() else ""
        line: list[Cell] = [Code(defense), str(measure), (sign, float(first["leakage_value"]))]
        line.append(Interval(*(first[f"utility_{part}"] for part in ("value", "low", "high"))))
        kept = rows.set_index("baseline")
        for name in baselines:
            row = kept.loc[name]
            if pd.isna(row["equal_value"]):
                line.append(f"{NOTHING} (least {quantity(row['least'])})")
            else:
                line.append(Interval(*(row[f"equal_{part}"] for part in ("value", "low", "high"))))
        lines.append([*line, int(first["n"])])
    return Table(title="Utility at equal leakage", columns=head, rows=lines)
