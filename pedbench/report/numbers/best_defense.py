"""The choice of the most private defense among those that keep utility, by every measure at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pedbench.privacy.claims import WORDS
from pedbench.report.numbers.combined import CLAIMS, measures_of, rule_of, rules_of
from pedbench.report.numbers.first_table import variants
from pedbench.report.numbers.speaking import contests, distance_of
from pedbench.report.numbers.words_read import words_read
from pedbench.results.cross_fitting import cross_fitted_difference
from pedbench.results.run import Run
from pedbench.results.statistics import Difference, difference, mean
from pedbench.validity.controls import LEAST_PICTURES, Control
from pedbench.validity.families import RECEIVED
from pedbench.validity.families import REQUIRED as REQUIRED_FAMILIES

LEAST_RETENTION = 0.95
"""Utility counts as kept where the interval of the retention does not reach below this: a non-inferiority margin."""

MOST_LEAKAGE = 0.5
"""Leakage from which on no defense is named: half way from a guess to an exact copy."""

REQUIRED = ("RMSE", "SSIM", "LPIPS", WORDS)
"""Measures that have to agree on a defense that is named: distances, whatever network LPIPS has, and words read."""


@dataclass(frozen=True, kw_only=True)
class Lead:
    """The order of the two best defenses by one measure.

    Attributes:
        measure: E.g. "leakage[RMSE]" or "words read".
        column: Beginning of its columns in the combined table.
        certain: Whether the interval of their paired difference excludes 0, over enough pictures; or no word of
            either is read.
        n: Number of pictures of that difference.
    """

    measure: str
    column: str
    first: str
    runner_up: str
    certain: bool
    n: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The defenses that are compared, and the one that is named.

    Attributes:
        rule: The coalition rule, as columns of the combined table end.
        known: Whether any defense has both a retention and all leakages with intervals.
        measures: Beginnings of columns by measure.
        keeping: Rows of the combined table that offload and keep utility, apart from controls.
        undecided: Defenses that offload and may keep it: the interval of their retention reaches across the margin.
        absent: Those of `REQUIRED` that were not measured of all rows.
        leads: One for each measure, below two defenses none.
        bounds: Defenses that lead by some measure and whose numbers are lower bounds.
        best: The defense that is named; empty where none may be.
    """

    rule: str
    known: bool
    measures: Mapping[str, str]
    keeping: pd.DataFrame
    undecided: Sequence[str]
    absent: Sequence[str]
    leads: Sequence[Lead]
    bounds: Sequence[str]
    best: str


def choose(run: Run, combined: pd.DataFrame, controls: Sequence[Control]) -> Choice | None:
    """Choose the defense that leaks least to coalitions of the suite's first rule.

    A defense is named only if it leads by every measure, `REQUIRED` among them, each time with an interval of the
    paired difference to the next that excludes 0, if each of these numbers is below `MOST_LEAKAGE` and none of its
    leakages is a lower bound. Defenses from which servers receive nothing, controls, and variants of other rows take
    no part.

    Args:
        combined: From `combined`.

    Returns:
        None where the run has no coalition rule or no leakage.
    """
    measures = measures_of(combined)
    if combined.empty or not rules_of(combined) or not measures:
        return None
    rule = rules_of(combined)[0]
    columns = {name: f"{name}_{rule}" for name in measures}
    apart = {control.defense for control in controls if control.name != "whole picture"}
    compared = combined[~combined["defense"].isin(apart)]
    sends = (compared["bytes_up_value"] > 0) | (
        compared["bytes_up_value"].isna() & compared["defense"].isin(_received_from(run))
    )
    offloading = compared[sends & ~variants(run, compared)]
    known = offloading.dropna(subset=["retention_low", *(f"{name}_value" for name in columns.values())])
    keeping = known[known["retention_low"] >= LEAST_RETENTION]
    undecided = known[
        (known["retention_low"] < LEAST_RETENTION) & (known["retention_high"] >= LEAST_RETENTION)
    ]
    words = f"{CLAIMS[WORDS]}_{rule}"
    if not keeping.empty and keeping[f"{words}_value"].notna().all():
        columns[WORDS] = words
    leads = []
    for measure, column in columns.items() if len(keeping) > 1 else ():
        # Of equals, the one that leads by the first measure.
        order = keeping.sort_values([f"{column}_value", f"{next(iter(columns.values()))}_value"])
        first, runner_up = order["defense"].iloc[:2]
        apart_by = _difference(run, rule, measure, first, runner_up)
        sure = apart_by is not None and apart_by.n >= LEAST_PICTURES and _below_zero(apart_by)
        sure = sure or (measure == WORDS and not order[f"{column}_value"].iloc[:2].any())
        n = apart_by.n if apart_by else 0
        leads.append(
            Lead(measure=measure, column=column, first=first, runner_up=runner_up, certain=sure, n=n)
        )
    rows = {row["defense"]: row for _, row in keeping.iterrows()}
    bounds = [name for name in dict.fromkeys(lead.first for lead in leads) if _bounded(rows[name], columns)]
    firsts = {lead.first for lead in leads}
    absent = [name for name in REQUIRED if not any(_is(name, measure) for measure in columns)]
    agreed = len(firsts) == 1 and all(lead.certain for lead in leads) and not bounds and not absent
    best = next(iter(firsts)) if agreed else ""
    if best and any(rows[best][f"{column}_value"] >= MOST_LEAKAGE for column in columns.values()):
        best = ""
    return Choice(
        rule=rule,
        known=len(known) > 0,
        measures=columns,
        keeping=keeping,
        undecided=undecided["defense"].to_list(),
        absent=absent,
        leads=leads,
        bounds=bounds,
        best=best,
    )


def _received_from(run: Run) -> set[str]:
    """Return the defenses of which records say that servers received something."""
    something = {f"{RECEIVED}{kind}" for kind in REQUIRED_FAMILIES} - {f"{RECEIVED}nothing"}
    return {run.defense(record) for record in run.of_kind("privacy") if something & {*record.flags}}


def _is(name: str, measure: str) -> bool:
    """Return whether a measure is the required one of this name."""
    return distance_of(measure) == name or distance_of(measure).startswith(f"{name}-")


def _bounded(row: Any, columns: Mapping[str, str]) -> bool:
    return any(bool(row.get(f"{column}_bound", False)) for column in columns.values())


def _below_zero(found: Difference) -> bool:
    return found.ci95 is not None and found.ci95[1] < 0


def _difference(run: Run, rule: str, measure: str, first: str, other: str) -> Difference | None:
    """Return the paired difference of two defenses by one measure; None where they have no picture in common."""
    c, m = rule_of(rule)
    if measure != WORDS:
        one, reference = (contests(run)[(name, c, m), measure] for name in (first, other))
        return cross_fitted_difference(one.values, reference.values)
    read = [max(words_read(run, name, c, m), key=lambda each: mean(each).value) for name in (first, other)]
    try:
        return difference(*read)
    except ValueError:
        return None
