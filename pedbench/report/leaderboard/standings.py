"""First tables of submitted runs, joined where the runs may be compared and apart where they may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from pedbench.registry import Registry
from pedbench.report.leaderboard.submission import Submission
from pedbench.report.numbers.first_table import first_table as first_numbers
from pedbench.report.numbers.first_table import strengths, variants
from pedbench.report.tables.first import first_table
from pedbench.report.tables.overview import without_controls
from pedbench.report.tables.table import Table, columns
from pedbench.results.run import Run
from pedbench.results.selection import read_selection
from pedbench.suites.cell import canonical_json
from pedbench.suites.published import differing_parts
from pedbench.validity.controls import controls

_FREE = ("defenses", "quick", "exhibits", "latency")
"""Parts of a suite in which comparable runs may differ: each row names its defense, and times depend on the machine."""

_PARTS = ("", "Variants", "Controls")


def conditions(run: Run) -> dict[str, Any]:
    """Return what two runs of one suite version must share to stand in one table, as JSON values by name."""
    selection = read_selection(run.directory)
    plugins = {
        f"{role} {canonical_json(record.cell[role])}"
        for record in run.records
        for role in ("attack", "read_out", "probe")
        if role in record.cell
    }
    metrics = {f"{metric.name} {metric.version}" for record in run.records for metric in record.metrics}
    return {
        **run.suite.model_dump(mode="json", exclude=set(_FREE)),
        "pictures": list(selection.images) if selection else [],
        "revision": sorted({str(record.cell.get("revision")) for record in run.records}),
        "versions of attacks and probes": sorted(plugins),
        "versions of metrics": sorted(metrics),
    }


@dataclass(frozen=True, kw_only=True)
class Group:
    """Submissions that may be compared.

    Attributes:
        submissions: The verified ones first, each kind by date.
        label: What is other than published; empty for the published suite.
    """

    submissions: Sequence[Submission]
    label: str

    @cached_property
    def tables(self) -> list[Table]:
        """The joined first table, its variants and controls, as far as the runs have them."""
        parts: dict[str, list[tuple[Submission, pd.DataFrame]]] = {part: [] for part in _PARTS}
        for each in self.submissions:
            for part, rows in zip(_PARTS, _split(_run(each)), strict=True):
                if len(rows):
                    parts[part].append((each, rows))
        return [_joined(rows, part) for part, rows in parts.items() if rows]


def _run(submission: Submission) -> Run:
    if submission.run is None:
        raise ValueError(f"{submission.slug} is refused and has no numbers.")
    return submission.run


def _split(run: Run) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the rows of a first table: what is compared, variants of it, and controls."""
    frame = first_numbers(run)
    compared, apart = without_controls(frame, controls(run))
    folded = variants(run, compared) if len(compared) else pd.Series(dtype=bool)
    shown = folded & ~strengths(run, compared) if len(compared) else folded
    return compared[~folded], compared[shown], apart


def _joined(parts: Sequence[tuple[Submission, pd.DataFrame]], title: str) -> Table:
    frame = pd.concat([rows for _, rows in parts], ignore_index=True)
    for name in frame.columns:
        # What only one run has is absent in the others, as it is in a run without it.
        if name.endswith(("_status", "_how")):
            frame[name] = frame[name].fillna("")
    table = first_table(_run(parts[0][0]), frame, title=title)
    owners = [each for each, rows in parts for _ in range(len(rows))]
    # What retention relates to is in each report.
    kept = [place for place, column in enumerate(table.columns) if place and column.below != "of"]
    lines = [
        [
            row[0],
            f"{each.card.name if each.card else each.slug}\n{each.status}",
            *(row[place] for place in kept),
        ]
        for each, row in zip(owners, table.rows, strict=True)
    ]
    head = [table.columns[0], *columns("submission", text=True), *(table.columns[place] for place in kept)]
    return replace(table, columns=head, rows=lines)


def grouped(submissions: Sequence[Submission], registry: Registry) -> Iterator[Group]:
    """Yield the groups of runs of one suite version, those of the published suite first."""
    found: dict[str, tuple[dict[str, Any], list[Submission]]] = {}
    for each in submissions:
        shared = conditions(_run(each))
        found.setdefault(canonical_json(shared), (shared, []))[1].append(each)
    labelled = [
        Group(submissions=sorted(members, key=_rank), label=_label(_run(members[0]), registry))
        for _, members in found.values()
    ]
    first = min(labelled, key=lambda group: (bool(group.label), -len(group.submissions)))
    yield first
    own = conditions(_run(first.submissions[0]))
    for group in labelled:
        if group is not first:
            yield replace(group, label=_apart(own, conditions(_run(group.submissions[0]))))


def _rank(submission: Submission) -> tuple[bool, str]:
    return submission.status != "verified", submission.card.date.isoformat() if submission.card else ""


def _label(run: Run, registry: Registry) -> str:
    """Return in what a run's suite is not the published one of its name."""
    differing = differing_parts(run.suite, registry, _FREE)
    if differing is None:
        return "a suite that pedbench does not publish"
    if "version" in differing:
        return f"version {run.suite.version}, which this installation has no longer"
    return f"not as published: other {', '.join(differing)}" if differing else ""


def _apart(own: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    return f"other {', '.join(name for name in own if own[name] != other[name])} than above"
