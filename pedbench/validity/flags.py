"""Soundness flags: what makes a number worth less than it looks. Each has a paragraph in docs/reference/flags.md."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from pedbench.results.statistics import mean
from pedbench.types import View

if TYPE_CHECKING:
    import pandas as pd

NO_BETTER = "no better than a floor"
WORSE_THAN_PASTING = "worse than pasting"
SEED_SPREAD = "seed spread above the effect"
UNVERIFIED = "weights unverified"
DEGRADED = "degraded"
UNCONFINED = "attacks not confined by the kernel"
CAPPED = "coalitions capped"
ANNOTATIONS_LOST = "annotations left out"
UNEXPLAINED = "unexplained bytes"
AUTHORED = "content judged by its author"
UNREAD = {
    "pixels": "pixels are not read",
    "degraded": "degraded pixels are not read",
    "tokens": "tokens are not read",
}
"""The flag of each kind of content that a view can hold."""


def offers(view: View) -> set[str]:
    """Return what an attack can use of a view, in the words of `Attack.needs`."""
    kinds = {
        "pixels": view.patches,
        "degraded": view.degraded,
        "tokens": view.tokens,
        "metadata": view.messages,
    }
    return {"nothing"} | {kind for kind, content in kinds.items() if content}


def unread(views: Iterable[View], readable: Collection[str]) -> set[str]:
    """Return flags of content that was received and that no attack can use: a leakage of 0 then means nothing.

    Args:
        readable: The needs of all attacks.
    """
    received = {kind for view in views for kind in offers(view)}
    return {UNREAD[kind] for kind in received.difference(readable) if kind in UNREAD}


def of_attack(values: pd.DataFrame, *, floor: bool) -> set[str]:
    """Return the flags that an attack's own values bring on.

    Args:
        values: Of one privacy cell with an attack.
        floor: Whether the attack is one.
    """
    flags = set()
    advantages = list(_of_kind(values, "advantage"))
    # Over all coalitions: the worst of several would look better than a floor by chance alone.
    if advantages and not floor and not any(_lower_end(rows) > 0 for rows in advantages):
        flags.add(NO_BETTER)
    gains = list(_of_kind(values, "gain_over_pasting"))
    if gains and all(rows["value"].mean() < 0 for rows in gains):
        flags.add(WORSE_THAN_PASTING)
    if any(_scattered(rows) for rows in advantages):
        flags.add(SEED_SPREAD)
    return flags


def _of_kind(values: pd.DataFrame, kind: str) -> Iterable[pd.DataFrame]:
    """Return the rows of each metric of a kind, such as advantage[RMSE] of "advantage"."""
    chosen = values[values["metric"].str.fullmatch(rf"{re.escape(kind)}\[.*\]")]
    return (rows for _, rows in chosen.groupby("metric", sort=False))


def _lower_end(rows: pd.DataFrame) -> float:
    found = mean(rows)
    return found.ci95[0] if found.ci95 else found.value


def _scattered(rows: pd.DataFrame) -> bool:
    """Return whether the means of several seeds differ by more (their standard deviation) than they differ from 0."""
    means = rows.groupby("seed")["value"].mean()
    return len(means) > 1 and bool(means.std() > abs(means.mean()))
