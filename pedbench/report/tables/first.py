"""The first table: what utility, reconstructions, leakage and latency each defense has, and what its paper reports."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pandas as pd

from pedbench.report.numbers.combined import CLAIMS, measures_of, rules_of
from pedbench.report.numbers.first_table import DISTANCES, FAMILIES
from pedbench.report.tables.overview import attack, attacked, claimed, counts, number, reference
from pedbench.report.tables.table import Cell, Column, Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.legend import short_rule, utility_title

NOTE = (
    "From the worst coalition of the rule in the headings (c=1: one server alone): LPIPS and SSIM of the whole picture "
    "as a masked autoencoder and as inpainting complete it (read out: the payload leaves nothing to complete; blind: "
    "nothing was received), leakage by each distance with the attack that speaks for it, and the words and faces that "
    "are found. Wall times are measured with all servers on this host, turn-taking ones composed; n counts pictures of "
    "utility, privacy and latency. Lines of other weights have the privacy of the same messages above."
)
"""Markdown below the table."""

_BETTER = {"LPIPS": "higher", "SSIM": "lower"}

_CLAIM_TITLES = {"words_read": "words read", "faces_found": "faces found"}


def first_table(frame: pd.DataFrame, *, reported: bool = True) -> Table:
    """Return one line a defense, and below them what the paper about PED-SAM reports.

    Args:
        frame: From `numbers.first_table.first_table`, without controls and with at least one row.
        reported: Whether the paper's lines are added.
    """
    rule = next(iter(rules_of(frame)), "")
    measures = measures_of(frame) if rule else []
    claims = [name for name in CLAIMS.values() if _has(frame, f"{name}_{rule}")]
    pictures = [
        (family, column, distance)
        for family, column in FAMILIES.items()
        for distance in DISTANCES
        if _has(frame, f"{column}_{distance}")
    ]
    head = columns("defense", text=True)
    head += columns(utility_title(frame), "retention", better="higher") + columns("of", text=True)
    head += [
        Column(title=f"{family}: {distance}", better=_BETTER[distance], group="reconstructions")
        for family, _, distance in pictures
    ]
    head += columns(*(f"{name}, {short_rule(rule)}" for name in measures), better="lower")
    head += columns(*(_CLAIM_TITLES[name] for name in claims), better="lower", group="words and faces")
    head += columns(
        *([f"visible, {short_rule(rule)}"] if rule else []), better="lower", group="visible share"
    )
    head += columns("wall", "turn-taking", unit="s", better="lower", group="latency") + columns("n")
    lines = []
    for _, row in frame.iterrows():
        line: list[Cell] = [Code(row["defense"]), number(row, "utility", row["utility_status"])]
        line += [number(row, "retention", interval=False), reference(row)]
        line += [_picture(row, f"{column}_{distance}") for _, column, distance in pictures]
        line += [(attacked(row, name, rule), " ", *attack(row, name, rule)) for name in measures]
        line += [claimed(row, f"{name}_{rule}") for name in claims]
        line += [number(row, f"visible_share_{rule}", interval=False)] if rule else []
        line += [number(row, name, interval=False) for name in ("wall_p50", "turn_taking_p50")]
        lines.append([*line, counts(row, frame)])
    if reported:
        lines += _reported(len(head), [column.title for column in head].index("wall"))
    return Table(title="Results", columns=head, rows=lines)


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
    return (shown, f" ({', '.join(marks)})") if marks else shown


def _reported(width: int, wall: int) -> Iterator[list[Cell]]:
    path = resources.files("pedbench.report.tables") / "published.toml"
    for each in tomllib.loads(path.read_text(encoding="utf-8"))["rows"]:
        if each.get("first_table", False):
            line: list[Cell] = [f"reported on COCO, not measured: {each['reported']}", each["miou"]]
            line += [None] * (width - 2)
            line[wall] = each.get("encoder")
            yield line
