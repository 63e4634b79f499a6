"""The combined table: one line a defense, for the report and, with fewer columns, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from pedbench.report.numbers.combined import rules_of
from pedbench.report.tables.pivot import letters
from pedbench.report.tables.table import Cell, Interval, Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.report.words.text import NOTHING


def number(row: Any, name: str, status: str = "", interval: bool = True) -> Cell:
    """Return a number of the combined table.

    Args:
        status: Shown in the place of a number that is missing because the cell failed or was skipped.
    """
    value, low, high = (row[f"{name}_{part}"] for part in ("value", "low", "high"))
    if pd.isna(value) and status not in ("", "ok"):
        return status
    return Interval(value, low, high) if interval else float(value)


def attacked(row: Any, kind: str, rule: str) -> Cell:
    """Return leakage or advantage under a rule, marked where it is a lower bound only."""
    shown = number(row, f"{kind}_{rule}", row[f"privacy_status_{rule}"])
    bound = pd.notna(row[f"{kind}_{rule}_value"]) and not row[f"privacy_complete_{rule}"]
    return ("≥ ", shown) if bound else shown


def attack(row: Any, kind: str, rule: str) -> tuple[str, ...]:
    """Return the strongest attack under a rule, and how many more are as strong; empty without any."""
    name, ties = row[f"{kind}_{rule}_attack"], row[f"{kind}_{rule}_ties"]
    return (Code(name), *([f" +{ties}"] if ties else [])) if name else ()


def cells(row: Any) -> str:
    """Return how many of a defense's cells did not succeed."""
    counts = [f"{row[status]} {status}" for status in ("failed", "invalid", "skipped") if row[status]]
    return ", ".join(counts) or "ok"


def combined_table(frame: pd.DataFrame, flags: Mapping[str, str]) -> Table:
    """Return one line a defense.

    Args:
        frame: From `combined`, with at least one row.
        flags: Flag -> letter.
    """
    rules = rules_of(frame)
    leakage = frame.iloc[0]["leakage_metric"] or "leakage"
    pairs = [(kind, rule) for kind in ("leakage", "advantage") for rule in rules]
    leaked = [f"{leakage.replace('leakage', kind, 1)}, {short_rule(rule)}" for kind, rule in pairs]
    head = columns("defense", text=True)
    head += columns(utility_title(frame), "retention", better="higher")
    head += columns(*(f"visible share, {short_rule(rule)}" for rule in rules), *leaked, better="lower")
    head += columns("wall p50", "turn-taking p50", unit="s", better="lower")
    head += columns("up", "down", unit="B", better="lower")
    head += columns("n", "flags", "cells")
    lines: list[list[Cell]] = []
    for _, row in frame.iterrows():
        line = [Code(row["defense"]), number(row, "utility", row["utility_status"]), number(row, "retention")]
        line += [number(row, f"visible_share_{rule}", interval=False) for rule in rules]
        line += [(attacked(row, kind, rule), " ", *attack(row, kind, rule)) for kind, rule in pairs]
        line += [number(row, "wall_p50", row["latency_status"]), number(row, "turn_taking_p50")]
        line += [number(row, name, interval=False) for name in ("bytes_up", "bytes_down")]
        lines.append([*line, _counts(row, rules), _flagged(row, rules, flags), cells(row)])
    return Table(title="Overview", columns=head, rows=lines)


def narrow_table(frame: pd.DataFrame, title: str) -> Table:
    """Return one line a defense with fewer columns, attacks below the numbers.

    Args:
        frame: From `combined`.
    """
    if frame.empty:
        return Table(title=title, columns=[], rows=[])
    rules, leakage = rules_of(frame), frame.iloc[0]["leakage_metric"] or "leakage"
    head = columns("defense", text=True)
    head += columns(utility_title(frame).replace(", ", ",\n"), "retention", better="higher")
    head += columns(f"visible ↓\n{' / '.join(short_rule(rule) for rule in rules)}")
    head += columns(*(f"{leakage}\n{short_rule(rule)}" for rule in rules), better="lower")
    head += columns("wall p50", unit="s", better="lower")
    head += columns("turn-taking\np50", unit="s", better="lower", optional=True)
    head += columns("bytes\nup, down", unit="B", better="lower") + columns("cells")
    lines: list[list[Cell]] = []
    for _, row in frame.iterrows():
        line = [Code(row["defense"]), number(row, "utility", row["utility_status"]), number(row, "retention")]
        line.append(_together(row, [f"visible_share_{rule}" for rule in rules], " / "))
        line += [(attacked(row, "leakage", rule), "\n", *attack(row, "leakage", rule)) for rule in rules]
        line.append(number(row, "wall_p50", row["latency_status"], interval=False))
        line.append("" if rules else number(row, "turn_taking_p50", interval=False))
        line.append(_together(row, ["bytes_up", "bytes_down"], "\n"))
        lines.append([*line, cells(row).replace(", ", "\n")])
    return Table(title=title, columns=head, rows=lines)


def _together(row: Any, names: Sequence[str], between: str) -> Cell:
    numbers = [number(row, name, interval=False) for name in names]
    if all(pd.isna(value) for value in numbers):
        return None
    return tuple(part for value in numbers for part in (between, value))[1:]


def _counts(row: Any, rules: list[str]) -> str:
    """Return the number of pictures of utility, privacy and latency."""
    names = ["utility", *(f"leakage_{rule}" for rule in rules[:1]), "wall_p50"]
    counts = [row[f"{name}_n"] for name in names]
    return " / ".join(NOTHING if pd.isna(count) else str(count) for count in counts)


def _flagged(row: Any, rules: list[str], flags: Mapping[str, str]) -> str:
    """Return letters with the axes that they are about."""
    private = dict(_private_flags(row, rules))
    if len(set(private.values())) == 1:
        private = {"privacy": next(iter(private.values()))}
    by_letters: dict[str, list[str]] = {}
    for group, names in {"utility": row["utility_flags"], **private, "latency": row["latency_flags"]}.items():
        if names:
            by_letters.setdefault(letters(names, flags), []).append(group)
    return "; ".join(f"{', '.join(groups)}: {marks}" for marks, groups in by_letters.items())


def _private_flags(row: Any, rules: list[str]) -> Iterator[tuple[str, str]]:
    for rule in rules:
        for kind in ("leakage", "advantage"):
            if row[f"{kind}_{rule}_attack"]:
                yield f"{kind} {short_rule(rule)}", row[f"{kind}_{rule}_flags"]
