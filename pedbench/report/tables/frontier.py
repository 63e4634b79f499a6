"""The table of what defenses with a strength keep at the leakage of the defense that is studied."""

from __future__ import annotations

import pandas as pd

from pedbench.report.numbers.speaking import distance_of
from pedbench.report.tables.table import Cell, Column, Interval, Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.text import NOTHING, quantity

EQUAL = "Utility at equal leakage"
"""Title of the table."""

EQUAL_NOTE = (
    "Utility at equal leakage: the largest mIoU along a defense's strengths, each with its best network, where the "
    "leakage by a distance, or by words read, is at most that of the defense in the first column, with 95 % bootstrap "
    "intervals. Strengths are interpolated between neighbours. (least x): no strength leaks as little, and x is the "
    "least that one does. ≥: the leakage is a lower bound. ≤: the leakage of a strength is a lower bound, so that the "
    "defense keeps at most this."
)
"""Markdown below the table."""


def equal_table(equal: pd.DataFrame) -> Table:
    """Return one line a measure and setting of the studied defense, with a column for each baseline.

    Args:
        equal: From `numbers.frontier.equal_leakage`, with at least one row.
    """
    baselines = list(dict.fromkeys(equal["baseline"]))
    head = columns("defense", "leakage by", text=True)
    head += columns("at most", better="lower", group="studied")
    head += columns("its mIoU", better="higher", group="studied")
    head += [Column(title=name, better="higher", group=name) for name in baselines]
    head += columns("n", group="studied")
    lines: list[list[Cell]] = []
    for (measure, defense), rows in equal.groupby(["measure", "defense"], sort=False):
        first = rows.iloc[0]
        sign = "≥ " if first["bound"] else ""
        line: list[Cell] = [Code(defense), distance_of(str(measure)), (sign, float(first["leakage_value"]))]
        line.append(Interval(*(first[f"utility_{part}"] for part in ("value", "low", "high"))))
        baseline = rows.set_index("baseline")
        for name in baselines:
            row = baseline.loc[name]
            if pd.isna(row["equal_value"]):
                line.append(f"{NOTHING} (least {'≥ ' if row['equal_bound'] else ''}{quantity(row['least'])})")
            else:
                kept = Interval(*(row[f"equal_{part}"] for part in ("value", "low", "high")))
                line.append(("≤ ", kept) if row["equal_bound"] else kept)
        lines.append([*line, int(first["n"])])
    return Table(title=EQUAL, columns=head, rows=lines)
