"""The run in one sentence: which defense gives most privacy among those that keep utility."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pedbench.report.numbers.combined import rules_of
from pedbench.report.words.legend import utility_title
from pedbench.report.words.text import code, escape, estimate
from pedbench.results.run import Run
from pedbench.validity.controls import Control

LEAST_RETENTION = 0.95
"""Utility counts as kept where the interval of the retention does not reach below this: a non-inferiority margin."""


def headline_sentence(run: Run, combined: pd.DataFrame, controls: Sequence[Control]) -> str:
    """Name the defense that leaks least to a coalition of the suite's first rule among those that keep utility.

    Defenses from which servers receive nothing and controls take no part; on_device would always win.

    Args:
        combined: From `combined`.

    Returns:
        Markdown.
    """
    if any(control.verdict == "fails" for control in controls):
        return "A control fails: no number of this run may be used."
    if combined.empty or not rules_of(combined):
        return "This run has no privacy figures to compare."
    rule = rules_of(combined)[0]
    leakage = f"leakage_{rule}"
    apart = {control.defense for control in controls if control.name != "whole picture"}
    offloading = combined[~combined["defense"].isin(apart) & (combined["bytes_up_value"].fillna(0) > 0)]
    known = offloading.dropna(subset=[f"{leakage}_value", "retention_low"])
    keeping = known[(known["retention_low"] >= LEAST_RETENTION) & known[f"privacy_complete_{rule}"]]
    if known.empty:
        return (
            "No defense of this run has both a retention and a leakage with intervals, so none can be named."
        )
    margin = f"at least {LEAST_RETENTION:.0%} of the undefended {escape(utility_title(combined))}"
    if keeping.empty:
        return f"No defense that offloads is sure to keep {margin}."
    order = keeping.sort_values(f"{leakage}_value")
    best, *others = (row for _, row in order.iterrows())
    listener = "the worst server" if rule.startswith("c1_") else f"the worst coalition ({escape(rule)})"
    lead = f"Of the {len(keeping)} defenses that offload and keep {margin}, {code(best['defense'])} gives most privacy"
    if not others:
        lead = f"{code(best['defense'])} is the only defense that offloads and is sure to keep {margin}"
    sentence = (
        f"{lead}: the strongest attack ({code(best[f'{leakage}_attack'])}) brings {listener} to "
        f"{escape(best['leakage_metric'])} {_number(best, leakage)}, where 1 is an exact copy and 0 what anybody could "
        f"guess; retention {_number(best, 'retention')}."
    )
    if others:
        sentence += f" Next is {code(others[0]['defense'])} with {_number(others[0], leakage)}."
    return sentence


def _number(row: Any, name: str) -> str:
    return estimate(row[f"{name}_value"], row[f"{name}_low"], row[f"{name}_high"])
