"""The report of a run in all its forms: a page, Markdown, tables and figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from pedbench.host.console import Console
from pedbench.host.files import write_atomically
from pedbench.report.figures.drawing import save
from pedbench.report.outputs.content import Content, gather
from pedbench.report.outputs.page import markdown, page
from pedbench.report.words.inline import plain_text
from pedbench.results.run import Run

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE | re.ASCII)


def write_report(run: Run, sides: Sequence[Run] = (), console: Console | None = None) -> Path:
    """Write `report.html`, `report.md`, `tables/` and `figures/` into a run's directory, in place of earlier ones.

    Args:
        sides: Two runs of one suite that are shown side by side.
        console: Shows which part is written; nothing is shown without one.

    Returns:
        The path of `report.md`.

    Raises:
        ValueError: A file of the run cannot be understood.
    """
    with _stage(console, "numbers"):
        content = gather(run, sides)
    with _stage(console, "tables"):
        _write_tables(content, _emptied(run.directory / "tables"))
    with _stage(console, "figures"):
        figures = _emptied(run.directory / "figures")
        for drawing in content.figures:
            save(drawing, figures)
    with _stage(console, "page"):
        write_atomically(run.directory / "report.html", page(content, figures))
        path = run.directory / "report.md"
        write_atomically(path, markdown(content))
    return path


def _stage(console: Console | None, part: str) -> AbstractContextManager[object]:
    return console.stage(f"report: {part}") if console else nullcontext()


def _write_tables(content: Content, folder: Path) -> None:
    """Tidy numbers as CSV, and what people read as LaTeX."""
    for name, frame in content.frames.items():
        texts = frame.select_dtypes(exclude=["number", "bool"]).map(spreadsheet_text)
        frame.assign(**texts).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    tables = [("overview", content.combined)] if content.combined else []
    tables += [
        (f"{section.heading} {plain_text(table.title)}", table)
        for section in (*([content.first] if content.first else []), *content.sections)
        for table in section.tables
    ]
    for title, table in tables:
        write_atomically(folder / f"{file_stem(title)}.tex", table.latex())


def spreadsheet_text(cell: Any) -> Any:
    """Return a cell of a CSV file so that no spreadsheet computes it: a quotation mark precedes a formula.

    Examples:
        >>> spreadsheet_text("=1+1"), spreadsheet_text("-0.5"), spreadsheet_text("-sum(A1)"), spreadsheet_text(-0.5)
        ("'=1+1", '-0.5', "'-sum(A1)", -0.5)
    """
    formula = isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{cell}" if formula and not _NUMBER.fullmatch(cell) else cell


def file_stem(title: str) -> str:
    """Return a table's title as the stem of a file."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:100]


def _emptied(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    return folder
