"""Privacy as a curve: against the size of the coalition, and against a parameter of the defense."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from pedbench.report.numbers.combined import rule_of, rules_of
from pedbench.report.numbers.speaking import LEAKAGE, Contest, by_rule, contests
from pedbench.results.records import Record
from pedbench.results.run import Run, labels
from pedbench.results.statistics import Estimate, mean
from pedbench.suites.cell import canonical_json

LEAKED = 0.5
"""Leakage from which a picture counts as given away: half way from a guess to an exact copy."""

EXPOSURE = "exposure >= 50 %"

LEAST_POINTS = 3
"""Minimum number of points of a curve; fewer can be read from the tables."""

_COALITION = [
    "defense", "servers", "size", "m", "metric", "n", "visible_share", "exposure", "attack",
    "leakage", "leakage_low", "leakage_high", "bound", "mean_attack", "coalitions",
    "leakage_mean", "leakage_mean_low", "leakage_mean_high", "passes_at",
]  # fmt: skip


def coalition_curve(run: Run, privacy: pd.DataFrame) -> pd.DataFrame:
    """Return what coalitions of growing size learn of each defense attacked by at least `LEAST_POINTS` sizes.

    Args:
        privacy: From `tidy.privacy`.

    Returns:
        One row a defense, leakage and size. leakage is that of the attack that speaks, with each picture's worst
        coalition of at most that size. leakage_mean is the mean over all evaluated coalitions of that very size
        (`coalitions` a picture), by the strongest of the attacks that guessed from all of them. passes_at is the
        smallest size whose leakage reaches `LEAKED`, absent where none does.
    """
    received = privacy[privacy["attack"] == ""]
    records = by_rule(run, attacked=True)
    sizes: dict[str, set[str]] = {}
    for defense, c, _ in records:
        sizes.setdefault(defense, set()).add(c)
    points: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for ((defense, c, m), metric), contest in contests(run).items():
        if len(sizes[defense]) < LEAST_POINTS or not metric.startswith(LEAKAGE):
            continue
        servers = _servers(run, defense)
        size = servers if c == "N" else min(int(c), servers)
        known = points.setdefault((defense, metric), {})
        if size in known and m <= known[size]["m"]:
            continue
        mine = received[(received["defense"] == defense) & (received["c"] == c) & (received["m"] == m)]
        point = {"defense": defense, "servers": servers, "size": size, "m": m, "metric": metric}
        known[size] = point | _point(run, records[defense, c, m], metric, contest, mine)
    rows: list[dict[str, Any]] = []
    for found in points.values():
        if len(found) >= LEAST_POINTS:
            passing = [size for size, point in found.items() if (point["leakage"] or 0) >= LEAKED]
            rows += [found[size] | {"passes_at": min(passing, default=None)} for size in sorted(found)]
    frame = pd.DataFrame(rows, columns=_COALITION)
    numbers = [
        name for name in _COALITION if name.startswith("leakage") or name in ("visible_share", "exposure")
    ]
    return frame.astype(dict.fromkeys(numbers, "float64") | {"passes_at": "Int64"})


def _servers(run: Run, defense: str) -> int:
    """Count the servers of a defense, from the shares that each of them received."""
    for record in run.of_kind("privacy"):
        if run.defense(record) == defense and record.status == "ok" and "attack" not in record.cell:
            values = run.values(record.cell_id)
            return int(values.loc[values["metric"] == "content share", "servers"].nunique())
    return 0


def _point(
    run: Run, records: Sequence[Record], metric: str, contest: Contest, received: pd.DataFrame
) -> dict[str, Any]:
    """Return the numbers of one coalition rule of one defense by one leakage."""
    low, high = (contest.estimate and contest.estimate.ci95) or (None, None)
    point: dict[str, Any] = {
        "n": contest.pictures,
        "visible_share": _received(received, "visible share"),
        "exposure": _received(received, EXPOSURE),
        "attack": contest.speaker,
        "leakage": contest.estimate.value if contest.estimate else None,
        "leakage_low": low,
        "leakage_high": high,
        "bound": contest.bound,
    }
    best: Estimate | None = None
    for record in records:
        # A slow attack guesses from the coalitions that fast ones found worst: their mean is no mean.
        if record.status != "ok" or {"scouts", "coalitions"} & record.cell.keys():
            continue
        values = run.values(record.cell_id)
        values = values[values["metric"] == metric]
        if values["image"].nunique() != contest.pictures:
            continue
        found = mean(values)
        if best is None or found.value > best.value:
            best = found
            point |= {"mean_attack": run.attack(record), **found.columns("leakage_mean")}
            point |= {"coalitions": values.groupby("image")["servers"].nunique().max()}
    return point


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
    for name, parameter, members in swept(run):
        for setting, defense in sorted(members.items()):
            row = combined[combined["defense"] == defense].iloc[0].to_dict()
            for rule in rules_of(combined):
                c, m = rule_of(rule)
                found = exposed[(exposed["defense"] == defense) & (exposed["c"] == c) & (exposed["m"] == m)]
                row[f"exposure_{rule}"] = None if found.empty else found["value"].iloc[0]
            rows.append({"sweep": name, "parameter": parameter, "setting": setting, **row})
    return pd.DataFrame(rows, columns=None if rows else ["sweep", "parameter", "setting"])


def swept(run: Run) -> Iterator[tuple[str, str, dict[float, str]]]:
    """Yield name, parameter and label by value of at least `LEAST_POINTS` defenses that differ in one number.

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
            found = [each for fixed, each in alike[parameter].items() if _long(families, parameter, fixed)]
            yield labels(found)[key], parameter, members


def _long(families: Mapping[tuple[str, str], Any], parameter: str, fixed: str) -> bool:
    return len(families[parameter, fixed]) >= LEAST_POINTS
