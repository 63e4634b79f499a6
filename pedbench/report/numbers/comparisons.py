"""Defenses against one of them, picture by picture, with a test that is corrected for their number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pedbench.report.numbers.speaking import Contest, contests
from pedbench.results.cross_fitting import cross_fitted_difference
from pedbench.results.run import Run
from pedbench.results.statistics import Difference, difference, holm

COLUMNS = [
    "kind", "metric", "region", "c", "m", "better", "reference", "reference_attack", "reference_bound",
    "defense", "attack", "bound", "difference", "low", "high", "n", "p", "p_holm",
]  # fmt: skip
_SIZES: Mapping[str, tuple[str, ...] | None] = {"all": None, "ML": ("M", "L")}
"""Regions of utility that are compared."""


def comparisons(run: Run, utility: pd.DataFrame) -> pd.DataFrame:
    """Compare mIoU (or agreement), leakage and advantage of each defense with those of the suite's `compare_with`.

    Utility is paired by annotation. Privacy is paired by picture: the attack that speaks for each defense on the
    pictures that both have, cross-fitted; rules of a sweep are left out.

    Args:
        utility: From `tidy.utility`.

    Returns:
        Columns `COLUMNS`: difference is the defense's mean minus the reference's, p_holm is corrected over the
        defenses of a metric, region and rule; bound and reference_bound are true where a mean is a lower bound. Empty
        where the suite compares with nothing that was measured.
    """
    reference = run.suite.compare_with
    labels = run.matching(reference.name, reference.params) if reference else []
    rows: list[dict[str, Any]] = []
    for label in labels[:1]:
        for about, scored in _utility(run, utility):
            rows += _utility_against(label, about, scored)
        for about, attacked in _privacy(run):
            rows += _privacy_against(label, about, attacked)
    return pd.DataFrame(rows, columns=COLUMNS)


def _utility(run: Run, utility: pd.DataFrame) -> Iterator[tuple[dict[str, Any], dict[str, pd.DataFrame]]]:
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
            found[row["defense"]] = values
        yield {"kind": "utility", "metric": metric, "region": region, "better": "higher"}, found


def _utility_against(
    reference: str, about: dict[str, Any], scored: Mapping[str, pd.DataFrame]
) -> list[dict[str, Any]]:
    if reference not in scored:
        return []
    rows = [
        {
            **about,
            "reference": reference,
            "reference_attack": "",
            "reference_bound": False,
            "defense": defense,
            "attack": "",
            "bound": False,
            **_numbers(difference(values, scored[reference])),
        }
        for defense, values in scored.items()
        if defense != reference
    ]
    return _corrected(rows)


def _privacy(run: Run) -> Iterator[tuple[dict[str, Any], dict[str, Contest]]]:
    groups: dict[tuple[str, int, str, str], dict[str, Contest]] = {}
    for ((defense, c, m), metric), contest in contests(run).items():
        groups.setdefault((c, m, metric, contest.region), {})[defense] = contest
    questions = pd.DataFrame(list(groups), columns=["c", "m", "metric", "region"])
    for c, m, metric, region in run.headline(questions).itertuples(index=False, name=None):
        about = {"kind": "privacy", "metric": metric, "region": region, "c": c, "m": m, "better": "lower"}
        yield about, groups[c, m, metric, region]


def _privacy_against(
    reference: str, about: dict[str, Any], attacked: Mapping[str, Contest]
) -> list[dict[str, Any]]:
    if reference not in attacked:
        return []
    expected = attacked[reference]
    common = {
        "reference": reference,
        "reference_attack": expected.speaker,
        "reference_bound": expected.bound,
    }
    rows = []
    for defense, contest in attacked.items():
        found = cross_fitted_difference(contest.values, expected.values) if defense != reference else None
        if found is not None:
            mine = {"defense": defense, "attack": contest.speaker, "bound": contest.bound}
            rows.append({**about, **common, **mine, **_numbers(found)})
    return _corrected(rows)


def _numbers(found: Difference) -> dict[str, Any]:
    low, high = found.ci95 or (None, None)
    return {"difference": found.value, "low": low, "high": high, "n": found.n, "p": found.p}


def _corrected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = corrected
    return rows
