"""Do two runs put the defenses in the same order? For runs of other models or pictures, which `compare` cannot join."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from scipy.stats import kendalltau, spearmanr

LEAST = 3
"""Defenses below which an order says nothing."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One measure of the defenses that both runs have.

    Attributes:
        measure: E.g. "utility" or "leakage[RMSE], c=1".
        values: One row a defense, in the first run's order: `defense`, `first`, `second`.
    """

    measure: str
    values: pd.DataFrame

    @property
    def spearman(self) -> float | None:
        """Rank correlation; None for too few defenses, or where all are alike."""
        return self._correlation(spearmanr)

    @property
    def kendall(self) -> float | None:
        """Kendall's tau-b; None for too few defenses, or where all are alike."""
        return self._correlation(kendalltau)

    def _correlation(self, coefficient: Callable[..., object]) -> float | None:
        varied = self.values[["first", "second"]].nunique()
        if len(self.values) < LEAST or (varied < 2).any():
            return None
        return float(coefficient(self.values["first"], self.values["second"]).statistic)  # type: ignore[attr-defined]


def agreements(first: pd.DataFrame, second: pd.DataFrame) -> list[Agreement]:
    """Return each measure that two combined tables share.

    Utility is compared between defenses with the same parameters. What servers get, and when, does not depend on the
    weights that they run: there `weights` may differ, and the first such defense counts. Coalitions are compared by
    their size, whatever number of them was evaluated. A leakage that is a lower bound has no place in an order.

    Args:
        first: From `combined`.
        second: Likewise.
    """
    before, after = _measures(first), _measures(second)
    found = []
    for measure in before:
        if measure not in after:
            continue
        exact = measure == "utility"
        left, right = (
            _by_defense(frame, columns[measure], exact)
            for frame, columns in ((first, before), (second, after))
        )
        rows = [
            {"defense": names[0], "first": value, "second": right[key][1]}
            for key, (*names, value) in left.items()
            if key in right
        ]
        found.append(
            Agreement(measure=measure, values=pd.DataFrame(rows, columns=["defense", "first", "second"]))
        )
    return found


def _measures(frame: pd.DataFrame) -> dict[str, str]:
    """Return the columns by what they measure."""
    found = {"utility": "utility_value"}
    for column in frame.columns:
        matched = re.fullmatch(r"(\w+\[.*\]|visible_share)_c(\w+?)_m\d+_value", column)
        if matched:
            found.setdefault(f"{matched[1].replace('_', ' ')}, c={matched[2]}", column)
    return found | {"wall time": "wall_p50_value", "bytes up": "bytes_up_value"}


def _by_defense(frame: pd.DataFrame, column: str, exact: bool) -> dict[str, tuple[str, float]]:
    found: dict[str, tuple[str, float]] = {}
    for row in frame.to_dict("records"):
        if pd.isna(row[column]) or row.get(f"{column.removesuffix('_value')}_bound", False):
            continue
        params = json.loads(row["parameters"])
        if not exact:
            params.pop("weights", None)
        name = str(row["defense"]).partition("(")[0]
        found.setdefault(
            json.dumps([name, params], sort_keys=True), (str(row["defense"]), float(row[column]))
        )
    return found
