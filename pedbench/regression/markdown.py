"""A comparison as people read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pedbench.regression.measured import Measured
from pedbench.regression.verdicts import FAILING, VERDICTS, Line, Verdict
from pedbench.report.tables.table import Cell, Interval, Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.text import NOTHING, arrow, code, escape, quantity
from pedbench.validity.controls import Control

ORDER: tuple[Verdict, ...] = (*FAILING, "unclear", "new", "not judged", "same")

QUIET: tuple[Verdict, ...] = ("same", "not judged")
"""Counted, and listed only on request."""

_COLUMNS = [
    *columns("verdict", "defense", "cell", "number", text=True),
    *columns("baseline", "run"),
    *columns("difference", write="{:+.3g}".format),
    *columns("tolerance", write="{:.2g}".format),
    *columns("n"),
    *columns("note", optional=True),
]


def counted(lines: Sequence[Line]) -> str:
    """Count the lines of each verdict."""
    counts = Counter(line.verdict for line in lines)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict])


def causes(lines: Sequence[Line], broken: Sequence[Control]) -> Iterator[str]:
    """Yield what fails, by defense and attack, as items of a list."""
    for control in broken:
        yield f"- {escape(str(control))}"
    for verdict in FAILING:
        groups = Counter((line.defense, line.attack) for line in lines if line.verdict == verdict)
        named = [
            f"{count} of {code(defense)}" + (f" under {code(attack)}" if attack else "")
            for (defense, attack), count in groups.items()
        ]
        if named:
            yield f"- **{verdict}** ({VERDICTS[verdict]}): {', '.join(named)}"
    suspects = dict.fromkeys(name for line in lines if line.fails for name in line.suspects)
    if suspects:
        yield f"- the source changed, the version did not: {', '.join(code(name) for name in suspects)}"


def whole_cells(lines: Sequence[Line]) -> str:
    """Return a table of the cells that have a verdict as a whole, those with one reason together; empty without any."""
    groups: dict[tuple[Verdict, str], list[Line]] = {}
    for line in lines:
        if not line.metric and line.verdict not in QUIET:
            groups.setdefault((line.verdict, line.note), []).append(line)
    head = columns("verdict", "cells", "the first", "why", text=True)
    rows: list[list[Cell]] = []
    for (verdict, note), alike in sorted(groups.items(), key=lambda item: ORDER.index(item[0][0])):
        first = tuple(part for line in alike[:3] for part in ("; ", Code(line.defense), " ", line.cell))
        rows.append([verdict, len(alike), first[1:], note or NOTHING])
    return Table(columns=head, rows=rows).markdown() if rows else ""


def numbers(lines: Sequence[Line], *, everything: bool, most: int | None = None) -> str:
    """Return a table of numbers; empty without any.

    Args:
        everything: Whether to list also what is the same or not judged.
        most: How many lines to show; what is left out is counted below the table.
    """
    shown = [line for line in lines if line.metric and (everything or line.verdict not in QUIET)]
    shown.sort(key=lambda line: ORDER.index(line.verdict))
    kept = shown[:most]
    left = f"\n\n{len(shown) - len(kept)} more lines are not shown." if len(kept) < len(shown) else ""
    return Table(columns=_COLUMNS, rows=[_row(line) for line in kept]).markdown() + left if shown else ""


def _row(line: Line) -> list[Cell]:
    region = f", {line.region}" if line.region else ""
    values = [NOTHING if value is None else quantity(value, line.unit) for value in (line.base, line.new)]
    return [
        line.verdict,
        Code(line.defense),
        line.cell,
        f"{line.metric}{region}{arrow(line.better)}",
        *values,
        Interval(line.difference, *(line.ci95 or (None, None))),
        line.tolerance,
        line.n or NOTHING,
        line.note,
    ]


def outcome(
    lines: Sequence[Line],
    broken: Sequence[Control],
    accepted: Measured,
    measured: Measured,
    about: Mapping[str, Any],
    *,
    most: int,
) -> str:
    """Return what the gate says.

    Args:
        broken: Controls of the run that fail.
        about: What the baseline says about itself.
        most: How many numbers to list.
    """
    fails = broken or any(line.fails for line in lines)
    suite = measured.run.suite
    levels = Counter(run["level"] for run in about["runs"][1:])
    repeated = "; ".join(f"{count} on {escape(machine)}" for machine, count in levels.items())
    parts = [
        f"## Gate: {'failed' if fails else 'passed'}",
        f"Run {code(str(measured.run.directory))} of suite `{suite.name}` version {suite.version} "
        f"({measured.run.pictures} pictures) against {code(str(accepted.run.directory))}, accepted "
        f"{escape(about['accepted'][:10])}: {escape(about['why'])}",
        f"{counted(lines)}. Tolerances are what these repeats showed: {repeated}.",
        "\n".join(causes(lines, broken)),
        whole_cells(lines),
        numbers(lines, everything=False, most=most),
    ]
    if fails:
        parts.append(
            f"All differences: `pedbench compare {accepted.run.directory} {measured.run.directory}`. If the change "
            "is meant, accept it: `pedbench accept-baseline` (docs/reference/gate.md)."
        )
    return "\n\n".join(filter(None, parts)) + "\n"
