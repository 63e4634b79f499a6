"""The combined table as people read it, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pedbench.report.words.legend import REGIONS
from pedbench.report.words.pivot import letters
from pedbench.report.words.text import NOTHING, code, escape, estimate, table

_UNITS = {"wall_p50": "s", "turn_taking_p50": "s", "bytes_up": "B", "bytes_down": "B"}


def rules_of(frame: pd.DataFrame) -> list[str]:
    """The coalition rules that the combined table has columns for, as those columns end: c{c}_m{m}."""
    prefix = "privacy_status_"
    return [name.removeprefix(prefix) for name in frame.columns if name.startswith(prefix)]


def short_rule(rule: str) -> str:
    """A rule as headers show it: c1_m3 is c=1."""
    return rule.split("_")[0].replace("c", "c=", 1)


def headline(frame: pd.DataFrame) -> str:
    """Which utility the combined table is about, e.g. "mIoU[1 click], M+L"."""
    first = frame.iloc[0]
    region = REGIONS.get(first["utility_region"], first["utility_region"])
    return f"{first['utility_metric']}, {region}" if first["utility_metric"] else "utility"


def number(row: Any, name: str, status: str = "", interval: bool = True) -> str:
    """A number of the combined table.

    Args:
        status: Shown in the place of a number that is not there because the cell failed or was skipped.
    """
    value, low, high = (row[f"{name}_{part}"] for part in ("value", "low", "high"))
    if pd.isna(value) and status not in ("", "ok"):
        return status
    if not interval:
        low = high = None
    return estimate(value, low, high, _UNITS.get(name, ""))


def attacked(row: Any, kind: str, rule: str) -> str:
    """Leakage or advantage under a rule, marked where it is a lower bound only."""
    shown = number(row, f"{kind}_{rule}", row[f"privacy_status_{rule}"])
    bound = pd.notna(row[f"{kind}_{rule}_value"]) and not row[f"privacy_complete_{rule}"]
    return f"≥ {shown}" if bound else shown


def ties(row: Any, kind: str, rule: str) -> str:
    """How many more attacks are as strong as the one that is named."""
    count = row[f"{kind}_{rule}_ties"]
    return f" +{count}" if count else ""


def cells(row: Any) -> str:
    """How many of a defense's cells did not succeed."""
    counts = [f"{row[status]} {status}" for status in ("failed", "invalid", "skipped") if row[status]]
    return ", ".join(counts) or "ok"


def combined_markdown(frame: pd.DataFrame, flags: Mapping[str, str]) -> str:
    """One line a defense.

    Args:
        frame: From `combined.combine`, with at least one row.
        flags: Flag -> letter.
    """
    rules = rules_of(frame)
    leakage = frame.iloc[0]["leakage_metric"] or "leakage"
    measured = ["leakage", "advantage"]
    headers = ["defense", f"{escape(headline(frame))} ↑", "retention ↑"]
    headers += [f"visible share, {short_rule(rule)} ↓" for rule in rules]
    headers += [
        f"{escape(leakage.replace('leakage', kind, 1))}, {short_rule(rule)} ↓"
        for kind in measured
        for rule in rules
    ]
    headers += ["wall p50 ↓", "turn-taking p50 ↓", "up ↓", "down ↓", "n", "flags", "cells"]
    lines = []
    for _, row in frame.iterrows():
        line = [code(row["defense"]), number(row, "utility", row["utility_status"]), number(row, "retention")]
        line += [number(row, f"visible_share_{rule}", interval=False) for rule in rules]
        for kind in measured:
            for rule in rules:
                name = row[f"{kind}_{rule}_attack"]
                by = f" {code(name)}{ties(row, kind, rule)}" if name else ""
                line.append(f"{attacked(row, kind, rule)}{by}")
        line += [number(row, "wall_p50", row["latency_status"]), number(row, "turn_taking_p50")]
        line += [number(row, name, interval=False) for name in ("bytes_up", "bytes_down")]
        lines.append([*line, _counts(row, rules), _flagged(row, rules, flags), cells(row)])
    return table(headers, lines)


def _counts(row: Any, rules: list[str]) -> str:
    """Pictures behind utility, privacy and latency."""
    names = ["utility", *(f"leakage_{rule}" for rule in rules[:1]), "wall_p50"]
    counts = [row[f"{name}_n"] for name in names]
    return " / ".join(NOTHING if pd.isna(count) else str(count) for count in counts)


def _flagged(row: Any, rules: list[str], flags: Mapping[str, str]) -> str:
    """Letters with the axes that they are about."""
    private = {
        f"{kind} {short_rule(rule)}": row[f"{kind}_{rule}_flags"]
        for rule in rules
        for kind in ("leakage", "advantage")
        if row[f"{kind}_{rule}_attack"]
    }
    if len(set(private.values())) == 1:
        private = {"privacy": next(iter(private.values()))}
    by_letters: dict[str, list[str]] = {}
    for group, names in {"utility": row["utility_flags"], **private, "latency": row["latency_flags"]}.items():
        if names:
            by_letters.setdefault(letters(names, flags), []).append(group)
    return "; ".join(f"{', '.join(groups)}: {found}" for found, groups in by_letters.items())
