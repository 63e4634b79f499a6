"""The first table: the combined one, and how completing networks reconstruct what the worst server got."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from pedbench.report.numbers.combined import combined, rules_of
from pedbench.report.numbers.curves import swept
from pedbench.report.numbers.frontier import frontier
from pedbench.report.numbers.tidy import privacy
from pedbench.results.records import Record
from pedbench.results.run import Run, once_per_run
from pedbench.suites.cell import canonical_json
from pedbench.validity.families import RECEIVED

FAMILIES = {"masked autoencoder": "masked_autoencoder", "inpainting": "inpainting"}
"""Families of attacks that the table shows whether or not they speak, with the beginning of their columns' names."""

DISTANCES = ("LPIPS", "SSIM")

BLIND, READ_OUT = "blind", "read out"
"""Origin of a picture that no completing network made: nothing was received, or nothing was left to complete."""


@once_per_run
def first_table(run: Run) -> pd.DataFrame:
    """Return one row a defense: `combined`, with further columns about whole pictures.

    They are from the worst coalition of the first rule, a single server in shipped suites.

    LPIPS and SSIM are those of the frame with its visible pixels pasted in, each from the worst server. Where a
    family completes what another attack reads out, the strongest read-out by that distance counts.

    Returns:
        For each family of `FAMILIES` and distance that the run has, NAME_DISTANCE_value, _low, _high and _n; _of, the
        pictures that were attacked at all; and _how: the attack, or `BLIND`, or `READ_OUT` with the attack that reads.
    """
    frame = combined(run)
    numbers = run.headline(privacy(run))
    names = {
        each: next((name for name in numbers["metric"] if re.fullmatch(rf"{each}(-\w+)?", name)), "")
        for each in DISTANCES
    }
    rows = []
    for label in frame["defense"]:
        mine = numbers[numbers["defense"] == label]
        mine = (
            mine[(mine["c"] == mine["c"].iloc[0]) & (mine["m"] == mine["m"].iloc[0])] if len(mine) else mine
        )
        row: dict[str, Any] = {}
        for family, column in FAMILIES.items():
            for distance, metric in names.items():
                if metric:
                    row |= dict(_shown(run, mine, family, metric, f"{column}_{distance}"))
        rows.append(row)
    more = pd.DataFrame(rows, index=frame.index)
    counts = [name for name in more.columns if name.endswith("_n")]
    return frame.join(more.astype(dict.fromkeys(counts, "Int64")))


def variants(run: Run, frame: pd.DataFrame) -> pd.Series:
    """Return which rows of the first table are variants of others, which it folds away.

    A variant was measured on fewer axes than another row of the same plugin, such as other weights that send the same
    messages; or it belongs to a sweep and was measured on fewer axes than any other row.

    Args:
        frame: From `first_table`, without controls.
    """
    statuses = [
        "utility_status",
        *(f"privacy_status_{rule}" for rule in rules_of(frame)[:1]),
        "latency_status",
    ]
    axes = (frame[statuses] != "").sum(axis=1)
    plugins = frame["defense"].map(lambda label: run.defenses[label]["name"])
    members = {label for _, _, family in swept(run) for label in family.values()}
    most = axes.groupby(plugins).transform("max").mask(frame["defense"].isin(members), axes.max())
    return axes < most


def strengths(run: Run, frame: pd.DataFrame) -> pd.Series:
    """Return which variants belong to the frontier alone: strengths of a sweep that no row in full has.

    Args:
        frame: From `first_table`, without controls.
    """
    folded = variants(run, frame)
    full = set(frame["defense"][~folded])
    points = frontier(run)
    curves = set(zip(points["curve"], points["parameter"], strict=True))
    settings: dict[tuple[str, str], dict[str, float]] = {}
    for _, parameter, family in swept(run):
        for setting, label in family.items():
            curve = run.defenses[label]["name"], parameter
            if curve in curves:
                settings.setdefault(curve, {})[label] = setting
    alone = set[str]()
    for members in settings.values():
        kept = {setting for label, setting in members.items() if label in full}
        alone |= {label for label, setting in members.items() if setting not in kept}
    return folded & frame["defense"].isin(alone)


def _shown(run: Run, rows: pd.DataFrame, family: str, metric: str, column: str) -> Iterator[tuple[str, Any]]:
    records = {record.cell_id: record for record in run.of_kind("privacy")}
    attacked = [records[cell_id] for cell_id in rows["cell_id"].unique()]
    found, origin = _chosen(_numbers(rows, metric), attacked, family)
    for part in ("value", "low", "high", "n"):
        yield f"{column}_{part}", None if found is None else found[part]
    yield f"{column}_of", rows["n"].max()
    yield f"{column}_how", origin


def _numbers(rows: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Return the numbers of whole pictures by cell."""
    chosen = rows[(rows["metric"] == metric) & (rows["region"] == "whole") & (rows["status"] == "ok")]
    return {row["cell_id"]: row for row in chosen.to_dict("records")}


def _chosen(numbers: Mapping[str, Any], records: Sequence[Record], family: str) -> tuple[Any, str]:
    """Return the number that is shown for a family, and how its picture came about."""
    kinds = {flag for record in records for flag in record.flags if flag.startswith(RECEIVED)}
    measured = [record for record in records if record.cell_id in numbers]
    own = [record for record in measured if record.attacker.get("family") == family]
    if not own:
        return None, ""
    direct = [numbers[record.cell_id] for record in own if "read_out" not in record.cell]
    if f"{RECEIVED}pixels" in kinds or not kinds & {f"{RECEIVED}degraded", f"{RECEIVED}tokens"}:
        found = _strongest(direct)
        if found is None:
            return None, ""
        return found, found["attack"] if f"{RECEIVED}pixels" in kinds else BLIND
    readers = {
        canonical_json(record.cell["attack"]): numbers[record.cell_id]
        for record in measured
        if {"degraded", "tokens"} & {*record.attacker.get("needs", ())} and "read_out" not in record.cell
    }
    chains = {canonical_json(record.cell["read_out"]): record for record in own if "read_out" in record.cell}
    best = _strongest([number for key, number in readers.items() if not chains or key in chains])
    if best is None:
        return None, ""
    key = next(key for key, number in readers.items() if number is best)
    if key in chains:
        found = numbers[chains[key].cell_id]
        return found, found["attack"]
    return best, f"{READ_OUT} by {best['attack']}"


def _strongest(numbers: Sequence[Any]) -> Any:
    """Return the number that is worst for the defender, of the same metric."""
    signs = {"higher": -1.0, "lower": 1.0}
    return max(numbers, key=lambda row: signs[row["better"]] * row["value"], default=None)
