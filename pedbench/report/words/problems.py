"""Cells, pictures and annotations that gave no value, and why, as lines of Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pedbench.report.words.inline import Code, Inline, inline_markdown
from pedbench.report.words.text import code, escape
from pedbench.results.records import Record
from pedbench.results.run import Run
from pedbench.results.selection import read_selection
from pedbench.suites.cell import Lie

_ORDER = ("failed", "invalid", "skipped")

_SHOWN = 3
"""Cells with one cause and the same defenses that a line names."""


def problems(run: Run) -> Iterator[str]:
    """Yield one line per cause, failed cells first.

    A defense all of whose cells have the same fate is named without them.
    """
    cells = Counter(run.defense(record) for record in run.records)
    alike = Counter((run.defense(record), record.status, record.reason) for record in run.records)
    for status in _ORDER:
        causes: dict[str, dict[str, list[str]]] = {}
        for record in run.records:
            if record.status == status:
                defense = run.defense(record)
                lost = alike[defense, status, record.reason] == cells[defense]
                subject = (
                    f"all {cells[defense]} cells" if lost else inline_markdown(measured_cell(run, record))
                )
                causes.setdefault(record.reason, {}).setdefault(subject, []).append(defense)
        for reason, lost_cells in causes.items():
            yield f"**{status}**: {_listed(lost_cells)}: {escape(reason)}"
    if run.missing:
        yield f"**not run yet**: {len(run.missing)} of {len(run.missing) + len(run.records)} cells"


def _listed(cells: Mapping[str, Sequence[str]]) -> str:
    """Join cells of the same defenses; `cells` maps what was to be measured to defenses."""
    alike: dict[str, list[str]] = {}
    for subject, defenses in cells.items():
        names = ", ".join(code(name) for name in dict.fromkeys(defenses))
        alike.setdefault(names, []).append(subject)
    parts = []
    for names, subjects in alike.items():
        more = [f"{len(subjects) - _SHOWN} more"] if len(subjects) > _SHOWN else []
        parts.append(f"{'; '.join([*subjects[:_SHOWN], *more])} of {names}")
    return "; ".join(parts)


def measured_cell(run: Run, record: Record) -> Inline:
    """Return a cell apart from its defense, in words."""
    cell = record.cell
    if cell["kind"] == "utility":
        return f"utility, protocol {cell.get('protocol', '')}"
    if cell["kind"] == "integrity":
        return f"integrity, {described_lie(cell['lie'])}, protocol {cell.get('protocol', '')}"
    if cell["kind"] == "latency":
        return f"latency, link {cell.get('link', '')}"
    rule = f"privacy, c = {cell['coalition']['c']}"
    attack = run.attack(record)
    if "probe" in cell:
        source = ("the guess of ", Code(attack)) if attack else ("what was received",)
        return (f"{rule}, probe ", Code(run.probe(record)), " on ", *source)
    return (f"{rule}, attack ", Code(attack)) if attack else f"{rule}, what was received"


def described_lie(fields: Mapping[str, Any]) -> str:
    """Return a lie in words.

    Args:
        told: As a record's cell has it.
    """
    lie = Lie(**fields)
    return f"{lie.label} of {lie.liars} of {lie.servers} servers, {lie.checks} windows checked"


_MOST = 20
"""Names in one line; all of them are in the selection's file."""


def unused(run: Run) -> Iterator[str]:
    """Yield pictures and annotations that no defense was measured on."""
    selection = read_selection(run.directory)
    if selection is None:
        return
    if selection.left_out:
        yield f"**left out**: pictures that cannot be read: {_with_reasons(selection.left_out)}"
    if selection.defects:
        yield f"**left out**: annotations that cannot be used: {_with_reasons(selection.defects)}"
    # Prompts depend on the annotations alone: one defense speaks for all.
    measured = {r.cell.get("protocol", ""): r for r in run.of_kind("utility") if r.status == "ok"}
    for protocol, record in measured.items():
        found = set(run.values(record.cell_id)["image"])
        empty = [image for image in selection.images if image not in found]
        if empty:
            names = ", ".join(code(image) for image in empty[:_MOST])
            more = f" and {len(empty) - _MOST} more" if len(empty) > _MOST else ""
            yield (
                f"**no object**: {len(empty)} of {len(selection.images)} pictures have none that protocol "
                f"{escape(protocol)} counts: {names}{more}"
            )


def _with_reasons(reasons: Mapping[str, str]) -> str:
    shown = [f"{code(name)} ({escape(reason)})" for name, reason in list(reasons.items())[:_MOST]]
    more = f"; and {len(reasons) - _MOST} more" if len(reasons) > _MOST else ""
    return "; ".join(shown) + more
