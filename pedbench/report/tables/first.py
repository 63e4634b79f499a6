"""The first table: what utility, reconstructions, leakage and latency each defense has, and what its paper reports."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import pandas as pd
import tomli

from pedbench.report.numbers.combined import CLAIMS, measures_of, rules_of
from pedbench.report.numbers.first_table import DISTANCES, FAMILIES, strengths, variants
from pedbench.report.numbers.first_table import first_table as first_numbers
from pedbench.report.numbers.frontier import equal_leakage
from pedbench.report.numbers.speaking import distance_of
from pedbench.report.tables.frontier import equal_table
from pedbench.report.tables.overview import (
    attack,
    attacked,
    claimed,
    counts,
    number,
    reference,
    without_controls,
)
from pedbench.report.tables.table import Cell, Column, Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.results.run import Run
from pedbench.validity.controls import controls

NOTE = (
    "From the worst coalition of the rule in the headings (c=1: one server alone): LPIPS and SSIM of the whole picture "
    "as a masked autoencoder and as inpainting complete it (read out: the payload leaves nothing to complete; blind: "
    "nothing was received), leakage by each distance with the attack that speaks for it, and the words and faces that "
    "are found. Wall times are measured with all servers on this host, turn-taking ones composed; projected ones are "
    "calculated for the named devices, one a server. n counts pictures of utility, privacy and latency."
)
"""Markdown below the table."""

_BETTER = {"LPIPS": "higher", "SSIM": "lower"}

_CLAIM_TITLES = {"words_read": "words read", "faces_found": "faces found"}

_TIMES = {"wall_p50": "wall, measured", "turn_taking_p50": "turn-taking, composed"}


def first_tables(run: Run, *, reported: bool = True) -> list[Table]:
    """Return the first table, utility at equal leakage, variants, and controls, as far as the run has them.

    Strengths that were measured for the frontier alone are in none of them. Utility at equal leakage is about the
    studied defenses of the first table; about all strengths of the studied one where that has none.

    Args:
        reported: Whether the first one ends with what the paper about PED-SAM reports.
    """
    frame = first_numbers(run)
    if frame.empty:
        return []
    compared, apart = without_controls(frame, controls(run))
    folded = variants(run, compared)
    shown = folded & ~strengths(run, compared)
    parts = {"": compared[~folded], "Variants": compared[shown], "Controls": apart}
    tables = [
        first_table(run, rows, title=title, reported=reported and not title)
        for title, rows in parts.items()
        if len(rows)
    ]
    equal = equal_leakage(run)
    listed = equal[equal["defense"].isin(compared["defense"][~folded])]
    equal = equal if listed.empty else listed
    return tables if equal.empty else [*tables[:1], equal_table(equal), *tables[1:]]


def first_table(run: Run, frame: pd.DataFrame, *, title: str = "", reported: bool = False) -> Table:
    """Return one line a defense, and below them what the paper about PED-SAM reports.

    Args:
        frame: From `numbers.first_table.first_table`, with at least one row.
        reported: Whether the paper's lines are added.
    """
    rule = next(iter(rules_of(frame)), "")
    attacked_at_all = bool(rule) and bool((frame[f"privacy_status_{rule}"] != "").any())
    measures = measures_of(frame) if attacked_at_all else []
    claims = [name for name in CLAIMS.values() if _has(frame, f"{name}_{rule}")]
    pictures = [
        (family, column, distance)
        for family, column in FAMILIES.items()
        for distance in DISTANCES
        if _has(frame, f"{column}_{distance}")
    ]
    times = dict(_TIMES) if (frame["latency_status"] != "").any() else {}
    if _has(frame, "projected_p50"):
        times["projected_p50"] = f"projected, {_devices(run)}"
    head = columns("defense", text=True)
    head += columns(utility_title(frame), better="higher")
    head += columns("retention", better="higher", group="retention", above="retention", below="share")
    head += columns("of", text=True, group="retention", above="retention", below="of")
    head += [
        Column(
            title=f"{family}: {distance}",
            better=_BETTER[distance],
            group="reconstructions",
            above=family,
            below=distance,
        )
        for family, _, distance in pictures
    ]
    head += [
        Column(
            title=f"{name}, {short_rule(rule)}",
            better="lower",
            group="further leakages" if place else "",
            above=f"leakage, {short_rule(rule)}",
            below=distance_of(name),
        )
        for place, name in enumerate(measures)
    ]
    head += [
        Column(
            title=_CLAIM_TITLES[name],
            better="lower",
            group="words and faces",
            above="found",
            below=name.split("_")[0],
        )
        for name in claims
    ]
    if attacked_at_all:
        head += columns(f"visible, {short_rule(rule)}", better="lower", group="visible share")
    head += [
        Column(title=title, unit="s", better="lower", group="latency", above="latency", below=title)
        for title in times.values()
    ]
    head += columns("n", group="counts")
    lines = []
    for _, row in frame.iterrows():
        line: list[Cell] = [Code(row["defense"]), number(row, "utility", row["utility_status"])]
        line += [number(row, "retention", interval=False), reference(row)]
        line += [_picture(row, f"{column}_{distance}") for _, column, distance in pictures]
        line += [(attacked(row, name, rule), "\n", *attack(row, name, rule)) for name in measures]
        line += [claimed(row, f"{name}_{rule}") for name in claims]
        line += [number(row, f"visible_share_{rule}", interval=False)] if attacked_at_all else []
        line += [number(row, name, row["latency_status"], interval=False) for name in times]
        lines.append([*line, counts(row, frame)])
    if reported:
        titles = [column.title for column in head]
        lines += _reported(len(head), titles.index(_TIMES["wall_p50"]) if times else None)
    return Table(title=title, columns=head, rows=lines)


def _devices(run: Run) -> str:
    devices = run.suite.latency.devices
    return f"edge {devices.edge}, servers {devices.server}" if devices else "other devices"


def _has(frame: pd.DataFrame, name: str) -> bool:
    return f"{name}_value" in frame and bool(frame[f"{name}_value"].notna().any())


def _picture(row: Any, name: str) -> Cell:
    """Return the distance of a reconstruction, with how it came about unless a completing network made it at once."""
    if pd.isna(row[f"{name}_value"]):
        return None
    marks = [row[f"{name}_how"]] if " " in row[f"{name}_how"] or row[f"{name}_how"] == "blind" else []
    most = row[f"{name}_of"]
    marks += [f"n {row[f'{name}_n']}"] if row[f"{name}_n"] < most else []
    shown = number(row, name, interval=False)
    return (shown, f"\n({', '.join(marks)})") if marks else shown


def _reported(width: int, wall: int | None) -> Iterator[list[Cell]]:
    path = resources.files("pedbench.report.tables") / "published.toml"
    for each in tomli.loads(path.read_text(encoding="utf-8"))["rows"]:
        if each.get("first_table", False):
            line: list[Cell] = [f"reported on COCO, not measured: {each['reported']}", each["miou"]]
            line += [None] * (width - 2)
            if wall is not None:
                line[wall] = each.get("encoder")
            yield line
