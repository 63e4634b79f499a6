"""A run's plan made again from its suite and pictures, without dataset, and what follows of it for each record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pedbench
from pedbench.base import Dataset
from pedbench.errors import CheckpointError, PluginError
from pedbench.measure.applicability import inapplicable
from pedbench.measure.attacks import nothing_usable
from pedbench.measure.code_identity import sources
from pedbench.measure.record import lasting_flags, weights_of
from pedbench.models.sam.family import family
from pedbench.registry import Registry
from pedbench.regression.finding import Finding
from pedbench.report.words.problems import described_lie
from pedbench.results.claim_summary import mistrusted
from pedbench.results.records import Record
from pedbench.results.run import Run
from pedbench.results.selection import read_selection
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DefensePlan, Plan
from pedbench.suites.planning import make_plan
from pedbench.suites.published import differing_parts
from pedbench.suites.resolve import Overrides, resolve
from pedbench.types import Sample
from pedbench.validity.families import RECEIVED
from pedbench.validity.flags import ANNOTATIONS_LOST, AUTHORED, CAPPED, DEGRADED, UNEXPLAINED, UNREAD

_MEASURED = {AUTHORED, DEGRADED, CAPPED, ANNOTATIONS_LOST, UNEXPLAINED, *UNREAD.values()}
"""Flags that follow from messages or annotations, which only measuring shows."""

_LISTED = 20
"""Cells that are named; more are counted."""


class _Recorded(Dataset):
    """The pictures of a run as it lists them."""

    def __init__(self, name: str, revision: str, images: Sequence[str]) -> None:
        self.name, self._revision, self._images = name, revision, images  # type: ignore[misc]

    @property
    def revision(self) -> str:
        return self._revision

    @property
    def left_out(self) -> dict[str, str]:
        return {}

    def ids(self) -> Sequence[str]:
        return self._images

    def __getitem__(self, index: int) -> Sample:
        raise IndexError("only the ids of these pictures are known")


def recorded_plan(run: Run, registry: Registry) -> tuple[Plan | None, list[Finding]]:
    """Make the plan of a run's suite for the pictures that it lists.

    Returns:
        The plan, and what is to say of the suite; None where no plan can be made here, with the reason.
    """
    subject = f"suite {run.suite.name}"
    selection, revision = read_selection(run.directory), _common(run, "revision")
    versions = {str(record.provenance.get("versions", {}).get("pedbench", "")) for record in run.records}
    unchecked = "what was left out, flags, sources and weights were not checked"
    if selection is None or revision is None:
        return None, [_unchecked(subject, f"its pictures or their revision are not recorded: {unchecked}")]
    if run.suite.name.endswith("-merged"):
        return None, [_unchecked(subject, f"it was merged from several runs, verify each: {unchecked}")]
    if versions - {pedbench.__version__}:
        other = ", ".join(sorted(versions)) or "an unknown version"
        note = (
            f"measured by pedbench {other}, this is {pedbench.__version__}: {unchecked}; install that version"
        )
        return None, [_unchecked(subject, note)]
    try:
        suite = resolve(run.suite, Overrides(), registry)
        pictures = _Recorded(suite.dataset.name, revision, selection.images)
        recorded = pictures, _common(run, "gallery")
        plan = make_plan(suite, registry, family(suite.model, suite.weights or {}), recorded)
    except (PluginError, CheckpointError, OSError) as error:
        return None, [_unchecked(subject, f"no plan can be made here, so {unchecked}: {error}")]
    except ValueError as error:
        return None, [Finding(subject=subject, problem=f"it gives no plan for the run's pictures: {error}")]
    return plan, [Finding(subject=subject, note=note) for note in _unpublished(run, registry)]


def _unchecked(subject: str, note: str) -> Finding:
    return Finding(subject=subject, note=note, unchecked=True)


def _common(run: Run, field: str) -> str | None:
    return next((str(record.cell[field]) for record in run.records if field in record.cell), None)


def _unpublished(run: Run, registry: Registry) -> Iterator[str]:
    """Yield in which parts the suite is not the published one of its name."""
    if run.suite.dataset.commitment:
        yield (
            f"its pictures follow from the secret of the commitment {run.suite.dataset.commitment}: compare it with "
            "the one that was published before"
        )
    differing = differing_parts(run.suite, registry)
    if differing is None:
        yield "it is none of the published suites"
    elif differing:
        yield f"it is not {run.suite.name} as published: {', '.join(differing)} differ"


def differing_plan(run: Run, listed: Collection[str], plan: Plan) -> Iterator[Finding]:
    """Yield the cells that the suite asks for and the run does not list, and the other way round."""
    planned = {cell.cell_id: described(cell.cell_id, cell.as_dict()) for cell in plan.cells()}
    known = {record.cell_id: described(record.cell_id, record.cell) for record in run.records} | planned
    lacking = "the suite asks for it, and the run lacks it: `pedbench run` completes a run"
    foreign = "this installation plans no such cell: a plugin, its weights or the dataset are other ones"
    for cell_ids, problem in (
        ([cell_id for cell_id in planned if cell_id not in listed], lacking),
        ([cell_id for cell_id in listed if cell_id not in planned], foreign),
    ):
        for cell_id in cell_ids[:_LISTED]:
            yield Finding(subject=known.get(cell_id, cell_id), problem=problem)
        if len(cell_ids) > _LISTED:
            yield Finding(subject=f"{len(cell_ids) - _LISTED} more cells", problem=problem)


def forgery(run: Run, plan: Plan, part: DefensePlan, cell: Cell, record: Record) -> str:
    """Return what a record says otherwise than plan and values do: flags, sources, weights, or why it was skipped."""
    values = run.values(record.cell_id)
    expected = lasting_flags(plan, part, cell, values if record.status == "ok" else None)
    found = {flag for flag in record.flags if flag not in _MEASURED and not flag.startswith(RECEIVED)}
    if found != expected:
        lacking = [f"it lacks the flag {flag!r}" for flag in sorted(expected - found)]
        return "; ".join(
            lacking + [f"its flag {flag!r} follows from nothing" for flag in sorted(found - expected)]
        )
    for name, known in (("sources", sources(plan, part, cell)), ("weights", weights_of(part, cell))):
        recorded: dict[str, Any] = record.provenance.get(name, {})
        # The dataset is compared where its pictures are read.
        names = {*recorded, *known} - {plan.dataset.name}
        if differing := sorted(each for each in names if recorded.get(each) != known.get(each)):
            return f"{name} of {', '.join(differing)} are not those of this installation: it was measured by others"
    if record.status == "skipped":
        return _unfounded(run, plan, part, cell, record)
    if record.status == "invalid" and cell.probe is not None and not values.empty and not mistrusted(values):
        return f"it is invalid ({record.reason}), and its values are sound"
    return ""


def _unfounded(run: Run, plan: Plan, part: DefensePlan, cell: Cell, record: Record) -> str:
    """Return why an attack cannot have been skipped for the reason that is recorded; "" for other cells."""
    attack = next((planned for planned, each in part.privacy if each == cell), None)
    mine = [each for each in run.records if each.cell["defense"] == record.cell["defense"]]
    # A defense that is not installed, or whose weights were not named, has no cell at all.
    if attack is None or all((each.status, each.reason) == ("skipped", record.reason) for each in mine):
        return ""
    if reason := inapplicable(plan, part, attack):
        return (
            ""
            if reason == record.reason
            else f"it is skipped because {record.reason!r}, expected is {reason!r}"
        )
    received = {
        flag.removeprefix(RECEIVED)
        for each in mine
        if each.cell.get("coalition") == record.cell["coalition"] and "attack" not in each.cell
        for flag in each.flags
        if flag.startswith(RECEIVED)
    }
    everywhere = attack.read_out is None and attack.limit is None and not attack.slow
    usable = attack.needs & received if everywhere else frozenset()
    if usable:
        return f"it is skipped, and the attack can use what servers received ({', '.join(sorted(usable))})"
    expected = nothing_usable(attack)
    return (
        "" if record.reason == expected else f"it is skipped because {record.reason!r}, which nothing shows"
    )


def described(cell_id: str, cell: Mapping[str, Any]) -> str:
    """Return a cell in words, with its id."""
    parts = [cell["kind"], cell["defense"]["name"]]
    parts += [cell[role]["name"] for role in ("attack", "probe") if role in cell]
    parts += [f"c = {cell['coalition']['c']}"] if "coalition" in cell else []
    parts += [described_lie(cell["lie"])] if "lie" in cell else []
    return f"{cell_id} ({', '.join(parts)})"
