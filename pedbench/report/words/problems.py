"""The cells that have no result, and why, as lines of Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pedbench.report.words.inline import Code, Inline, inline_markdown
from pedbench.report.words.text import code, escape
from pedbench.results.records import Record
from pedbench.results.run import Run
from pedbench.suites.cell import Lie

_ORDER = ("failed", "invalid", "skipped")


def problems(run: Run) -> Iterator[str]:
    """Yield failed cells first, those together that differ in the defense only.

    A defense all of whose cells have the same fate has one line.
    """
    cells = Counter(run.defense(record) for record in run.records)
    alike = Counter((run.defense(record), record.status, record.reason) for record in run.records)
    for status in _ORDER:
        together: dict[tuple[str, str], list[str]] = {}
        for record in run.records:
            if record.status == status:
                defense = run.defense(record)
                lost = alike[defense, status, record.reason] == cells[defense]
                subject = (
                    f"all {cells[defense]} cells" if lost else inline_markdown(measured_cell(run, record))
                )
                together.setdefault((subject, record.reason), []).append(defense)
        for (subject, reason), defenses in together.items():
            names = ", ".join(code(name) for name in dict.fromkeys(defenses))
            yield f"**{status}**: {subject} of {names}: {escape(reason)}"
    if run.missing:
        yield f"**not run yet**: {len(run.missing)} of {len(run.missing) + len(run.records)} cells"


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
