"""The run in one sentence: which defense gives most privacy among those that keep utility, by all measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pedbench.host.home import RANDOM_WEIGHTS
from pedbench.report.numbers.best_defense import LEAST_RETENTION, MOST_LEAKAGE, Choice, choose
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.report.words.text import code, escape, estimate
from pedbench.results.run import Run
from pedbench.validity.controls import Control


def headline_sentence(run: Run, combined: pd.DataFrame, controls: Sequence[Control]) -> str:
    """Name the defense that leaks least to a coalition of the suite's first rule, if all distances and words agree.

    Otherwise say where they disagree, or what is missing for a name; see `best_defense.choose`. Nothing is named where
    a control fails, or where random weights stand in for trained ones.

    Args:
        combined: From `combined`.

    Returns:
        Markdown.
    """
    files = map(Path, (run.suite.weights or {}).values())
    if any(file.parent.name == RANDOM_WEIGHTS for file in files):
        return "The networks have random weights: only times mean anything, no utility and no leakage."
    if any(control.verdict == "fails" for control in controls):
        return "A control fails: no number of this run may be used."
    choice = choose(run, combined, controls)
    if choice is None:
        return "This run has no privacy figures to compare."
    margin = f"at least {LEAST_RETENTION:.0%} of the undefended {escape(utility_title(combined))}"
    if not choice.known:
        return (
            "No defense of this run has both a retention and a leakage with intervals, so none can be named."
        )
    pictures = f"{run.pictures} pictures are too few to tell"
    if choice.keeping.empty and choice.undecided:
        return f"{pictures} whether any defense that offloads keeps {margin}: {_names(choice.undecided)} may."
    if choice.keeping.empty:
        return f"No defense that offloads keeps {margin}."
    open_ones = (
        f" Whether {_names(choice.undecided)} may keep it, too, {pictures}." if choice.undecided else ""
    )
    return f"{_compared(choice, margin)}{open_ones}"


def _compared(choice: Choice, margin: str) -> str:
    """Return the sentence about the defenses that keep utility."""
    listener = (
        "the worst server" if choice.rule.startswith("c1_") else f"coalitions of {short_rule(choice.rule)}"
    )
    rows = {row["defense"]: row for _, row in choice.keeping.iterrows()}
    if len(rows) == 1:
        (name,) = rows
        return (
            f"{code(name)} is the only defense that offloads and is sure to keep {margin}, so that there is none to "
            f"compare it with: {listener} learns {_leaks(rows[name], choice)}."
        )
    among = f"Of the {len(rows)} defenses that offload and keep {margin},"
    if choice.best:
        others = dict.fromkeys(lead.runner_up for lead in choice.leads)
        return (
            f"{among} {code(choice.best)} gives most privacy by every measure: {listener} learns "
            f"{_leaks(rows[choice.best], choice)}, where 1 is an exact copy and 0 what anybody could guess; retention "
            f"{_number(rows[choice.best], 'retention')}. Next {'is' if len(others) == 1 else 'are'} "
            f"{_names(others)}."
        )
    return f"{among} none can be named the most private: {_obstacle(choice, rows)}."


def _obstacle(choice: Choice, rows: dict[str, Any]) -> str:
    """Return why no defense is named, as a clause."""
    if choice.bounds:
        return (
            f"the numbers of {_names(choice.bounds)} are lower bounds (≥), as an attack that fits was limited, failed "
            "or is absent"
        )
    certain = [lead for lead in choice.leads if lead.certain]
    firsts = dict.fromkeys(lead.first for lead in certain)
    if len(firsts) > 1:
        parts = [
            f"{code(name)} least by {' and '.join(escape(lead.measure) for lead in certain if lead.first == name)}"
            for name in firsts
        ]
        return f"the measures disagree ({', '.join(parts)})"
    if len(certain) < len(choice.leads):
        unsure = [lead for lead in choice.leads if not lead.certain]
        pairs = dict.fromkeys((lead.first, lead.runner_up) for lead in unsure)
        parts = [
            f"{code(first)} from {code(other)} by "
            f"{' and '.join(escape(lead.measure) for lead in unsure if (lead.first, lead.runner_up) == (first, other))}"
            for first, other in pairs
        ]
        return f"{min(lead.n for lead in unsure)} pictures are too few to tell {', '.join(parts)}"
    (first,) = firsts
    if choice.absent:
        return (
            f"{code(first)} leaks least by every measure, and {' and '.join(choice.absent)} were not measured"
        )
    return (
        f"{code(first)} leaks least by every measure, and {_large(rows[first], choice)}, which is not below "
        f"{MOST_LEAKAGE}"
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(code(name) for name in names)


def _large(row: Any, choice: Choice) -> str:
    """Return the leakages that are too large, as a clause."""
    large = [lead for lead in choice.leads if row[f"{lead.column}_value"] >= MOST_LEAKAGE]
    return " and ".join(f"{escape(lead.measure)} is {row[f'{lead.column}_value']:.3f}" for lead in large)


def _leaks(row: Any, choice: Choice) -> str:
    """Return all leakages of a row with the attacks that speak."""
    parts = []
    for measure, column in choice.measures.items():
        if pd.notna(row[f"{column}_value"]):
            sign = "≥ " if row.get(f"{column}_bound", False) else ""
            speaker = row.get(f"{column}_attack", "") or row.get(f"{column}_source", "")
            parts.append(f"{escape(measure)} {sign}{_number(row, column)} ({code(speaker)})")
    return ", ".join(parts)


def _number(row: Any, name: str) -> str:
    return estimate(row[f"{name}_value"], row[f"{name}_low"], row[f"{name}_high"])
