"""Tables of attacks: their worst case, coalitions of growing size, retrieval, and what each attack knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pedbench.report.numbers.curves import LEAKED
from pedbench.report.numbers.speaking import LEAKAGE
from pedbench.report.tables.pivot import count
from pedbench.report.tables.table import Cell, Interval, Table, columns
from pedbench.report.words.inline import Code, Strong
from pedbench.report.words.text import NOTHING


def rule_text(c: Any, m: Any) -> str:
    """Return a coalition rule in words."""
    return f"c = {c} (m = {m})"


def speaking_tables(spoken: pd.DataFrame, worst: pd.DataFrame) -> Iterator[Table]:
    """Yield for each leakage which attack speaks for each defense, and the worst case, with its advantage.

    Args:
        spoken: Rows of one coalition rule, from `speaking`.
        worst: Rows of the same rule, from `worst_cases`.
    """
    rows_of = [
        {(row["defense"], row["metric"]): row for row in frame.to_dict("records")}
        for frame in (spoken, worst)
    ]
    for leakage in [name for name in dict.fromkeys(spoken["metric"]) if name.startswith(LEAKAGE)]:
        shown = [leakage, leakage.replace("leakage", "advantage", 1)]
        head = columns("defense", text=True)
        for name in shown:
            kind = name.partition("[")[0]
            head += columns(f"{name}, cross-fitted", better="lower", group=kind)
            head += columns("attack", text=True, group=kind)
            head += columns("worst case", better="lower", group=kind) + columns("draws", group=kind)
            head += columns("gain over draws", better="lower", group=kind)
        rows = spoken[spoken["metric"] == leakage]
        lines: list[list[Cell]] = []
        for _, row in rows.iterrows():
            line: list[Cell] = [Code(row["defense"])]
            for name in shown:
                line += _spoken(*(known.get((row["defense"], name)) for known in rows_of))
            attacks = worst.loc[worst["defense"] == row["defense"], "attacks"].max()
            doubts = row["doubts"] or ""
            lines.append([*line, row["coalitions"], int(attacks), count(row["n"], rows["n"].max()), doubts])
        first = spoken.iloc[0]
        yield Table(
            title=f"Attack that speaks and worst case, {leakage}, {rule_text(first['c'], first['m'])}",
            columns=head
            + columns("worst of", "attacks", "n")
            + columns("lower bound for", text=True, optional=True),
            rows=lines,
        )


def _spoken(row: Mapping[Any, Any] | None, bound: Mapping[Any, Any] | None) -> Iterator[Cell]:
    """Yield the cells of one metric of one defense, from its rows of `speaking` and `worst_cases`."""
    if row is None or bound is None:
        yield from [None, NOTHING, None, None, None]
        return
    sign = ("≥ ",) if row["bound"] and pd.notna(row["value"]) else ()
    yield (*sign, Interval(row["value"], row["low"], row["high"]))
    parts = [Code(row["attack"])] if row["attack"] else [NOTHING]
    parts += [f" +{row['ties']}"] if row["ties"] else []
    if row["ahead"]:
        parts += ["; ahead: ", Code(row["ahead"]), f" {row['ahead_value']:.3f} on {row['ahead_n']}"]
    yield tuple(parts)
    for name in ("worst_case", "draws", "gain"):
        cell: Cell = Interval(bound[name], bound[f"{name}_low"], bound[f"{name}_high"])
        yield ("≥ ", cell) if bound["bound"] and name != "draws" and pd.notna(bound[name]) else cell


def coalition_tables(frame: pd.DataFrame) -> Iterator[Table]:
    """Yield for each leakage a line for each defense and size of its coalitions.

    Args:
        frame: From `coalition_curve`.
    """
    for metric, rows in frame.groupby("metric", sort=False):
        head = columns("defense", text=True) + columns("c")
        head += columns("visible share", "exposed >= 50 %", f"{metric}, worst coalition", better="lower")
        head += columns("attack", text=True) + columns("mean over coalitions", better="lower")
        head += columns("coalitions", "n") + columns(f"reaches {LEAKED} at c", better="higher")
        lines: list[list[Cell]] = []
        for _, row in rows.iterrows():
            leakage, mean = (
                Interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
                for name in ("leakage", "leakage_mean")
            )
            line = [
                Code(row["defense"]),
                f"{row['size']} of {row['servers']}",
                row["visible_share"],
                row["exposure"],
                ("≥ ", leakage) if row["bound"] and pd.notna(row["leakage"]) else leakage,
            ]
            line += [Code(row["attack"]), mean, row["coalitions"], count(row["n"], rows["n"].max())]
            lines.append([*line, row["passes_at"]])
        yield Table(title=f"Coalitions of growing size, {metric}", columns=head, rows=lines)


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
            lines.append([Code(row["defense"]), *numbers, attack, count(row["n"], rows["n"].max())])
        yield Table(title=title, columns=head, rows=lines)


def attackers_table(frame: pd.DataFrame) -> Table:
    """Return a line for each attack: what it knows, and whether it reached its figure.

    Args:
        frame: From `attackers`.
    """
    head = (
        columns("attack", "knows", "", "must reach", "reached", text=True)
        + columns("one guess", unit="s")
        + columns("n")
    )
    lines: list[list[Cell]] = []
    for _, row in frame.iterrows():
        proof = "floor" if row["floor"] else "proven" if row["proven"] else Strong("unproven")
        figure, reached = row["figure"] or NOTHING, row["reached"] or NOTHING
        lines.append(
            [Code(row["attack"]), row["knowledge"], proof, figure, reached, row["seconds"], row["n"]]
        )
    return Table(title="Attackers", columns=head, rows=lines)
