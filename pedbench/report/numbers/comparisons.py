"""Defenses against one of them, picture by picture, with a test that is corrected for their number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pedbench.report.numbers.strongest import strongest
from pedbench.results.run import Run
from pedbench.results.statistics import difference, holm, worst_coalition

COLUMNS = [
    "kind", "metric", "region", "c", "m", "better", "reference", "reference_attack", "defense", "attack",
    "difference", "low", "high", "n", "p", "p_holm",
]  # fmt: skip
_SIZES: Mapping[str, tuple[str, ...] | None] = {"all": None, "ML": ("M", "L")}
"""Regions of utility that are compared."""


def comparisons(run: Run, utility: pd.DataFrame, privacy: pd.DataFrame) -> pd.DataFrame:
    """Compare mIoU (or agreement), leakage and advantage of each defense with those of the suite's `compare_with`.

    Utility is paired by annotation, privacy by picture, each with its worst coalition. For each defense, rule and
    metric the strongest attack counts, chosen on these same pictures.

    Args:
        utility: From `tidy.utility`.
        privacy: From `tidy.privacy`; rules of a sweep are left out.

    Returns:
        Columns `COLUMNS`: difference is the defense's mean minus the reference's, p_holm is corrected over the
        defenses of a metric, region and rule. Empty where the suite compares with nothing that was measured.
    """
    reference = run.suite.compare_with
    labels = run.matching(reference.name, reference.params) if reference else []
    rows: list[dict[str, Any]] = []
    for label in labels[:1]:
        for group in (*_utility(run, utility), *_privacy(run, run.headline(privacy))):
            rows += _against(label, *group)
    return pd.DataFrame(rows, columns=COLUMNS)


Group = tuple[dict[str, Any], dict[str, tuple[str, pd.DataFrame]]]
"""The question, and by defense the attack and the values, with columns image, annotation, value."""


def _utility(run: Run, utility: pd.DataFrame) -> Iterator[Group]:
    ok = utility[(utility["status"] == "ok") & utility["region"].isin([*_SIZES])]
    for (_, metric, region), rows in ok.groupby(["protocol", "metric", "region"], sort=False):
        if str(metric).endswith(", per picture"):
            continue
        found = {}
        for _, row in rows.iterrows():
            values = run.values(row["cell_id"])
            values = values[values["metric"] == re.sub(r"^mIoU", "IoU", str(metric))]
            sizes = _SIZES[str(region)]
            if sizes is not None:
                values = values[values["tag"].str.split().str[0].isin(sizes)]
            found[row["defense"]] = ("", values)
        yield {"kind": "utility", "metric": metric, "region": region, "better": "higher"}, found


def _privacy(run: Run, privacy: pd.DataFrame) -> Iterator[Group]:
    counted = privacy["metric"].str.fullmatch(r"(leakage|advantage)\[.*\]")
    ok = privacy[(privacy["status"] == "ok") & counted]
    for (c, m, metric, region), rows in ok.groupby(["c", "m", "metric", "region"], sort=False):
        found = {}
        for _, of_defense in rows.groupby("defense", sort=False):
            row = strongest(of_defense)
            values = run.values(row["cell_id"])
            values = values[(values["metric"] == metric) & (values["region"] == region)]
            found[row["defense"]] = (row["attack"], worst_coalition(values, "lower").assign(annotation=-1))
        about = {"kind": "privacy", "metric": metric, "region": region, "c": c, "m": m, "better": "lower"}
        yield about, found


def _against(
    reference: str, about: dict[str, Any], found: dict[str, tuple[str, pd.DataFrame]]
) -> list[dict[str, Any]]:
    if reference not in found:
        return []
    reference_attack, expected = found[reference]
    rows = []
    for defense, (attack, values) in found.items():
        if defense != reference:
            measured = difference(values, expected)
            low, high = measured.ci95 or (None, None)
            rows.append(
                {
                    **about,
                    "reference": reference,
                    "reference_attack": reference_attack,
                    "defense": defense,
                    "attack": attack,
                    "difference": measured.value,
                    "low": low,
                    "high": high,
                    "n": measured.n,
                    "p": measured.p,
                }
            )
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = corrected
    return rows
