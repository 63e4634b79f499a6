"""Privacy as a curve: against the size of the coalition, and against a parameter of the defense."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pedbench.report.numbers.combined import rules_of
from pedbench.report.numbers.strongest import strongest
from pedbench.results.run import Run, labels
from pedbench.results.statistics import mean
from pedbench.suites.cell import canonical_json

LEAKED = 0.5
"""Leakage from which a picture counts as given away: half way from a guess to an exact copy."""

EXPOSURE = "exposure >= 50 %"

LEAST_POINTS = 3
"""Minimum number of points of a curve; fewer can be read from the tables."""

_COALITION = [
    "defense", "servers", "size", "m", "coalitions", "metric", "attack", "n",
    "visible_share", "exposure", "leakage", "leakage_low", "leakage_high", "leakage_mean",
    "leakage_mean_low", "leakage_mean_high", "advantage", "advantage_low", "advantage_high", "passes_at",
]  # fmt: skip


def coalition_curve(run: Run, privacy: pd.DataFrame) -> pd.DataFrame:
    """Return what coalitions of growing size learn of each defense attacked by at least `LEAST_POINTS` sizes.

    Args:
        privacy: From `tidy.privacy`.

    Returns:
        One row a defense and size. leakage is the strongest attack's, with each picture's worst coalition;
        leakage_mean is the same attack's mean over all coalitions that were evaluated (`coalitions` a picture,
        those that hold most). passes_at is the smallest size whose leakage reaches `LEAKED`, absent where none
        does. Of rules of one size the one with most coalitions counts.
    """
    metric = next((name for name in privacy["metric"] if re.fullmatch(r"leakage\[.*\]", name)), "")
    rows: list[dict[str, Any]] = []
    for defense, mine in privacy.groupby("defense", sort=False):
        servers = _servers(run, str(defense))
        points: dict[int, dict[str, Any]] = {}
        for (c, m), rule in mine.groupby(["c", "m"], sort=False):
            size = servers if c == "N" else min(int(str(c)), servers)
            found = _point(run, rule, metric)
            if found and (size not in points or m > points[size]["m"]):
                points[size] = {"defense": defense, "servers": servers, "size": size, "m": m, **found}
        if len(points) >= LEAST_POINTS:
            passing = [size for size, point in points.items() if point["leakage"] >= LEAKED]
            rows += [points[size] | {"passes_at": min(passing, default=None)} for size in sorted(points)]
    frame = pd.DataFrame(rows, columns=_COALITION)
    return frame.astype(dict.fromkeys(_COALITION[8:-1], "float64") | {"passes_at": "Int64"})


def _servers(run: Run, defense: str) -> int:
    """Count the servers of a defense, from the shares that each of them received."""
    for record in run.of_kind("privacy"):
        if run.defense(record) == defense and record.status == "ok" and "attack" not in record.cell:
            values = run.values(record.cell_id)
            return int(values.loc[values["metric"] == "content share", "servers"].nunique())
    return 0


def _point(run: Run, rule: pd.DataFrame, metric: str) -> dict[str, Any] | None:
    """Return the numbers of one coalition rule of one defense; None where no attack was measured."""
    ok = rule[rule["status"] == "ok"]
    best = _strongest(ok, metric)
    if best is None:
        return None
    values = run.values(best["cell_id"])
    values = values[values["metric"] == metric]
    everywhere = mean(values)
    low, high = everywhere.ci95 or (None, None)
    advantage = _strongest(ok, metric.replace("leakage", "advantage", 1))
    shown = {"advantage": "value", "advantage_low": "low", "advantage_high": "high"}
    return {
        "coalitions": values.groupby("image")["servers"].nunique().max(),
        "metric": metric,
        "attack": best["attack"],
        "n": best["n"],
        "visible_share": _received(ok, "visible share"),
        "exposure": _received(ok, EXPOSURE),
        "leakage": best["value"],
        "leakage_low": best["low"],
        "leakage_high": best["high"],
        "leakage_mean": everywhere.value,
        "leakage_mean_low": low,
        "leakage_mean_high": high,
        **{name: None if advantage is None else advantage[column] for name, column in shown.items()},
    }


def _strongest(rows: pd.DataFrame, metric: str) -> Any:
    found = rows[(rows["attack"] != "") & (rows["metric"] == metric) & rows["value"].notna()]
    return strongest(found) if metric else None


def _received(rows: pd.DataFrame, metric: str) -> Any:
    found = rows[(rows["attack"] == "") & (rows["metric"] == metric) & rows["region"].isin(["", "all"])]
    return None if found.empty else found["value"].iloc[0]


def sweeps(run: Run, combined: pd.DataFrame, privacy: pd.DataFrame) -> pd.DataFrame:
    """Return the combined table's rows of defenses that differ in one number, with at least `LEAST_POINTS` values.

    Args:
        combined: From `combined`.
        privacy: From `tidy.privacy`.

    Returns:
        All columns of `combined`, with sweep (the defenses' common name), parameter and setting in front, and
        exposure_{rule} for each coalition rule; sorted by setting.
    """
    exposed = privacy[(privacy["metric"] == EXPOSURE) & (privacy["region"] == "all")]
    rows = []
    for name, parameter, members in _families(run):
        for setting, defense in sorted(members.items()):
            row = combined[combined["defense"] == defense].iloc[0].to_dict()
            for rule in rules_of(combined):
                c, m = rule.removeprefix("c").split("_m")
                found = exposed[
                    (exposed["defense"] == defense) & (exposed["c"] == c) & (exposed["m"] == int(m))
                ]
                row[f"exposure_{rule}"] = None if found.empty else found["value"].iloc[0]
            rows.append({"sweep": name, "parameter": parameter, "setting": setting, **row})
    return pd.DataFrame(rows, columns=None if rows else ["sweep", "parameter", "setting"])


def _families(run: Run) -> Iterator[tuple[str, str, dict[float, str]]]:
    """Name, parameter and label by value of defenses that are alike in all but one number.

    The name is the defense's, with what tells it from others that are swept alike.
    """
    families: dict[tuple[str, str], dict[float, str]] = {}
    alike: dict[str, dict[str, dict[str, Any]]] = {}
    for label, identity in run.defenses.items():
        for parameter, value in identity["params"].items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                rest = {key: other for key, other in identity["params"].items() if key != parameter}
                fixed = {"name": identity["name"], "version": identity["version"], "params": rest}
                alike.setdefault(parameter, {})[canonical_json(fixed)] = fixed
                families.setdefault((parameter, canonical_json(fixed)), {})[value] = label
    for (parameter, key), members in families.items():
        if len(members) >= LEAST_POINTS:
            swept = [each for fixed, each in alike[parameter].items() if _long(families, parameter, fixed)]
            yield labels(swept)[key], parameter, members


def _long(families: Mapping[tuple[str, str], Any], parameter: str, fixed: str) -> bool:
    return len(families[parameter, fixed]) >= LEAST_POINTS
