"""The overview: one line a defense, with what one would ask first about each axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pedbench.report.numbers.combined import CLAIMS, measures_of, rules_of
from pedbench.report.numbers.retention import SHORTER
from pedbench.report.tables.pivot import count, letters
from pedbench.report.tables.table import Cell, Interval, Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.report.words.text import NOTHING
from pedbench.validity.controls import Control

_APART = ("decoy", "mixed tokens")
"""Controls that are no baseline as well: they have a table of their own."""


def controls_apart(controls: Sequence[Control]) -> set[str]:
    """Return the defenses that are controls and no baselines."""
    return {control.defense for control in controls if control.name in _APART}


def without_controls(frame: pd.DataFrame, controls: Sequence[Control]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of the combined table that are compared, and those of controls that are none of them.

    Args:
        frame: From `combined`.
    """
    chosen = frame["defense"].isin(controls_apart(controls)) if len(frame) else pd.Series(dtype=bool)
    return frame[~chosen], frame[chosen]


def number(row: Any, name: str, status: str = "", interval: bool = True) -> Cell:
    """Return a number of the combined table.

    Args:
        status: Shown in the place of a number that is missing because the cell failed or was skipped.
    """
    value, low, high = (row[f"{name}_{part}"] for part in ("value", "low", "high"))
    if pd.isna(value) and status not in ("", "ok"):
        return status
    return Interval(value, low, high) if interval else float(value)


def attacked(row: Any, name: str, rule: str) -> Cell:
    """Return a leakage or advantage under a rule, marked where it is a lower bound only."""
    shown = number(row, f"{name}_{rule}", row[f"privacy_status_{rule}"])
    bound = pd.notna(row[f"{name}_{rule}_value"]) and row[f"{name}_{rule}_bound"]
    return ("≥ ", shown) if bound else shown


def attack(row: Any, name: str, rule: str) -> tuple[str, ...]:
    """Return the attack that speaks, how many more are as strong, and a limited one that is ahead of it."""
    speaker, ties, ahead = (row[f"{name}_{rule}_{part}"] for part in ("attack", "ties", "ahead"))
    found = (Code(speaker), *([f" +{ties}"] if ties else [])) if speaker else ()
    return (*found, "; ahead: ", Code(ahead)) if ahead else found


def cells(row: Any) -> str:
    """Return how many of a defense's cells did not succeed."""
    counts = [f"{row[status]} {status}" for status in ("failed", "invalid", "skipped") if row[status]]
    return ", ".join(counts) or "ok"


def reference(row: Any) -> Cell:
    """Return the undefended defense that a row's retention relates to."""
    name = row["retention_reference"]
    if pd.isna(row["retention_value"]) or not name:
        return NOTHING
    bare = name.removesuffix(SHORTER)
    return (Code(bare), name[len(bare) :])


def combined_table(frame: pd.DataFrame, flags: Mapping[str, str]) -> Table:
    """Return one line a defense; leakages, words and faces are those of the first coalition rule.

    Args:
        frame: From `combined`, with at least one row.
        flags: Flag -> letter.
    """
    rules, measures = rules_of(frame), measures_of(frame)
    first = rules[:1]
    head = columns("defense", text=True)
    head += columns(utility_title(frame), "retention", better="higher", group="utility")
    head += columns("of", text=True, group="utility")
    privacy = [f"visible share, {short_rule(rule)}" for rule in rules]
    privacy += [f"{name}, {short_rule(rule)}" for rule in first for name in measures]
    head += columns(*privacy, better="lower", group="privacy")
    claims = [(name, f"{column}_{rule}") for rule in first for name, column in CLAIMS.items()]
    claims = [(name, column) for name, column in claims if frame[f"{column}_value"].notna().any()]
    head += columns(*(name for name, _ in claims), better="lower", group="privacy")
    head += columns("wall p50", "turn-taking p50", unit="s", better="lower", group="latency")
    head += columns("up", "down", unit="B", better="lower", group="latency")
    head += columns("n", "flags", "cells", group="counts and flags")
    lines: list[list[Cell]] = []
    for _, row in frame.iterrows():
        line = [Code(row["defense"]), number(row, "utility", row["utility_status"]), number(row, "retention")]
        line.append(reference(row))
        line += [number(row, f"visible_share_{rule}", interval=False) for rule in rules]
        line += [
            (attacked(row, name, rule), "\n", *attack(row, name, rule)) for rule in first for name in measures
        ]
        line += [claimed(row, column) for _, column in claims]
        line += [number(row, "wall_p50", row["latency_status"]), number(row, "turn_taking_p50")]
        line += [number(row, name, interval=False) for name in ("bytes_up", "bytes_down")]
        lines.append([*line, counts(row, frame), _flagged(row, first, flags), cells(row)])
    return Table(title="Overview", columns=head, rows=lines)


def claimed(row: Any, column: str) -> Cell:
    """Return the share of known words or faces that were found, with the number of pictures."""
    if pd.isna(row[f"{column}_value"]):
        return None
    return (number(row, column, interval=False), f" (n {row[f'{column}_n']})")


def counts(row: Any, frame: pd.DataFrame) -> str:
    """Return the number of pictures of utility, privacy and latency, marked where other rows have more."""
    private = [f"{name}_{rule}" for rule in rules_of(frame)[:1] for name in measures_of(frame)[:1]]
    names = [f"{name}_n" for name in ("utility", *private, "wall_p50")]
    return " / ".join(
        NOTHING if pd.isna(row[name]) else str(count(int(row[name]), int(frame[name].max())))
        for name in names
    )


def _flagged(row: Any, rules: Sequence[str], flags: Mapping[str, str]) -> str:
    """Return letters with the axes that they are about."""
    private = row[f"privacy_flags_{rules[0]}"] if rules else ""
    named = {"utility": row["utility_flags"], "privacy": private, "latency": row["latency_flags"]}
    by_letters: dict[str, list[str]] = {}
    for group, names in named.items():
        if names:
            by_letters.setdefault(letters(names, flags), []).append(group)
    return "; ".join(f"{', '.join(groups)}: {marks}" for marks, groups in by_letters.items())
