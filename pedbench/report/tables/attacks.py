"""Tables of attacks: their worst case, coalitions of growing size, retrieval, and what each attack knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pedbench.report.numbers.curves import LEAKED
from pedbench.report.tables.table import Cell, Interval, Table, columns
from pedbench.report.words.inline import Code, Strong
from pedbench.report.words.text import NOTHING


def rule_text(c: Any, m: Any) -> str:
    """Return a coalition rule in words."""
    return f"c = {c} (m = {m})"


def worst_case_table(frame: pd.DataFrame) -> Table:
    """Return one line a defense, about the first metric that has a leakage.

    Args:
        frame: Rows of one coalition rule, from `worst_cases`, at least one.
    """
    leakage = next(name for name in frame["metric"] if name.startswith("leakage["))
    shown = [leakage, leakage.replace("leakage", "advantage", 1)]
    head = columns("defense", text=True)
    for name in shown:
        head += columns(f"{name}, cross-fitted", "worst case", better="lower")
        head += columns("draws") + columns("gain over draws", better="lower")
    lines: list[list[Cell]] = []
    for defense, rows in frame.groupby("defense", sort=False):
        line: list[Cell] = [Code(defense)]
        for name in shown:
            of_metric = rows[rows["metric"] == name]
            line += [None] * 4 if of_metric.empty else _worst_case(of_metric.iloc[0])
        lines.append([*line, int(rows["attacks"].max()), int(rows["n"].max())])
    first = frame.iloc[0]
    return Table(
        title=f"Cross-fitted attack and worst case, {rule_text(first['c'], first['m'])}",
        columns=head + columns("attacks", "n"),
        rows=lines,
    )


def _worst_case(row: Any) -> Iterator[Cell]:
    """Yield the cells of one metric; all but the draws are lower bounds where an attack failed."""
    for name in ("chosen", "worst_case", "draws", "gain"):
        cell: Cell = Interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
        if not (row["complete"] or name == "draws" or pd.isna(row[name])):
            cell = ("≥ ", cell)
        if name == "chosen" and not pd.isna(row[name]):
            cell = (cell, " ", Code(row["chosen_attack"]))
        yield cell


def coalition_table(frame: pd.DataFrame) -> Table:
    """Return a line for each defense and size of its coalitions.

    Args:
        frame: From `coalition_curve`, at least one row.
    """
    leakages = (f"{frame['metric'].iloc[0]}, worst coalition", "mean over coalitions")
    head = columns("defense", text=True) + columns("c")
    head += columns("visible share", "exposed >= 50 %", *leakages, better="lower")
    head += columns("strongest attack") + columns("advantage", better="lower") + columns("coalitions")
    head += columns(f"reaches {LEAKED} at c", better="higher")
    lines: list[list[Cell]] = []
    for _, row in frame.iterrows():
        leakage, mean, advantage = (
            Interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
            for name in ("leakage", "leakage_mean", "advantage")
        )
        line = [
            Code(row["defense"]),
            f"{row['size']} of {row['servers']}",
            row["visible_share"],
            row["exposure"],
        ]
        line += [leakage, mean, Code(row["attack"]), advantage, row["coalitions"], row["passes_at"]]
        lines.append(line)
    return Table(title="Coalitions of growing size", columns=head, rows=lines)


def retrieval_tables(frame: pd.DataFrame, model: str = "") -> Iterator[Table]:
    """Yield a table for each coalition rule; the title says what chance is.

    Args:
        frame: From `retrieval`.
        model: By whose features pictures were compared; "" for small copies.
    """
    by_model = f" by {Path(model).name}" if model else ""
    ranks = ("view, rank-1", "view, MRR", "best guess, rank-1", "best guess, MRR")
    head = columns("defense", text=True) + columns(*ranks, better="lower") + columns("by", "n")
    for (c, m), rows in frame.groupby(["c", "m"], sort=False):
        first = rows.iloc[0]
        title = (
            f"Retrieval among {first['gallery']}{by_model}, {rule_text(c, m)}; chance: rank-1 "
            f"{first['chance_first']:.3f}, MRR {first['chance_reciprocal']:.3f}"
        )
        lines: list[list[Cell]] = []
        for _, row in rows.iterrows():
            numbers = [
                Interval(*(row[f"{source}_{measure}_{end}"] for end in ("value", "low", "high")))
                for source in ("view", "guess")
                for measure in ("first", "reciprocal")
            ]
            attack = Code(row["attack"]) if row["attack"] else NOTHING
            lines.append([Code(row["defense"]), *numbers, attack, row["n"]])
        yield Table(title=title, columns=head, rows=lines)


def attackers_table(frame: pd.DataFrame) -> Table:
    """Return a line for each attack: what it knows, and whether it reached its figure.

    Args:
        frame: From `attackers`.
    """
    head = columns("attack", "knows", "", "must reach", "reached", text=True) + columns("one guess", unit="s")
    lines: list[list[Cell]] = []
    for _, row in frame.iterrows():
        proof = "floor" if row["floor"] else "proven" if row["proven"] else Strong("unproven")
        figure, reached = row["figure"] or NOTHING, row["reached"] or NOTHING
        lines.append([Code(row["attack"]), row["knowledge"], proof, figure, reached, row["seconds"]])
    return Table(title="Attackers", columns=head, rows=lines)
