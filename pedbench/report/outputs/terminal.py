"""The first table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console
from rich.markdown import Markdown as RichMarkdown
from rich.table import Table as RichTable
from rich.text import Text

from pedbench.report.numbers.combined import combined
from pedbench.report.tables.first import first_tables
from pedbench.report.tables.frontier import EQUAL
from pedbench.report.tables.table import Table
from pedbench.report.words.headline import headline_sentence
from pedbench.results.run import Run
from pedbench.validity.controls import controls

MEANINGS = {
    "≥": "≥: a lower bound: an attack that fits was limited, failed or is absent",
    "≤": "≤: at most this: the leakage of a strength is a lower bound",
    "(least": "(least x): no strength leaks as little; x is the least that one leaks",
}
"""Line below a table, by the mark that it explains."""

_WIDE = 200
"""Columns where nobody says how many there are: in a file or a pipe."""


def print_overview(run: Run) -> None:
    """Print the headline and the first table.

    Raises:
        ValueError: A file of the run cannot be understood.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    console.print(RichMarkdown(headline_sentence(run, combined(run), controls(run))))
    for table in console_tables(run, console.width):
        console.print(table)


def print_sides(table: Table) -> None:
    """Print two runs side by side, with as many measures as the terminal holds.

    Args:
        table: From `tables.side_by_side.side_table`.
    """
    console = Console()
    fitted, left_out = table.fitted(console.width)
    caption = (
        "first → second; below, the difference picture by picture with a 95 % interval; *: it excludes 0"
    )
    if left_out:
        caption += f"\nin a wider terminal: {', '.join(left_out)}"
    console.print(fitted.rich(console.width, caption=Text(caption)))


def console_tables(run: Run, width: int) -> Iterator[RichTable]:
    """Yield the tables of `first_tables` with as many columns as a terminal holds, each with its marks explained.

    Args:
        width: Letters of the terminal's lines.
    """
    suite = run.suite
    about = f"{suite.name}: {suite.dataset.name}, {run.pictures} pictures, model {suite.model}"
    for table in first_tables(run, reported=False):
        if table.title == EQUAL:
            yield from _in_parts(table, width)
            continue
        fitted, left_out = table.fitted(width)
        caption = [meaning for mark, meaning in MEANINGS.items() if fitted.shows(mark)]
        if not table.title:
            caption.insert(0, "95 % bootstrap intervals over pictures; arrows: better for the defender")
        if left_out:
            caption.append(f"in the report, or in a wider terminal: {', '.join(left_out)}")
        yield replace(fitted, title=table.title or about).rich(width, caption=Text("\n".join(caption)))


def _in_parts(table: Table, width: int) -> Iterator[RichTable]:
    """Yield a table of which no column may be absent, below each other where the terminal is too narrow."""
    *others, last = table.parts(width)
    caption = [meaning for mark, meaning in MEANINGS.items() if table.shows(mark)]
    for place, part in enumerate(others):
        yield replace(part, title="" if place else table.title).rich(width)
    yield replace(last, title="" if others else table.title).rich(width, caption=Text("\n".join(caption)))
