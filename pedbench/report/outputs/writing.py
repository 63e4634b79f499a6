"""The report of a run in all its forms: a page, Markdown, tables and figures."""

from __future__ import annotations

import re
from pathlib import Path

from pedbench.report.figures.scatter import save
from pedbench.report.outputs.content import Content, gather
from pedbench.report.outputs.markdown import markdown
from pedbench.report.outputs.page import page
from pedbench.report.words.inline import plain_text


def write_report(run_dir: Path) -> Path:
    """Write `report.html`, `report.md`, `tables/` and `figures/` into a run directory, in place of earlier ones.

    Returns:
        The path of `report.md`.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: A file of the run cannot be understood.
    """
    content = gather(run_dir)
    _write_tables(content, _emptied(run_dir / "tables"))
    figures = _emptied(run_dir / "figures")
    for drawing in content.figures:
        save(drawing, figures)
    _write(run_dir / "report.html", page(content, figures))
    path = run_dir / "report.md"
    _write(path, markdown(content))
    return path


def _write_tables(content: Content, folder: Path) -> None:
    """Tidy numbers as CSV, and what people read as LaTeX."""
    for name, frame in content.frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    tables = [("overview", content.combined)] if content.combined else []
    tables += [
        (f"{section.heading} {plain_text(table.title)}", table)
        for section in content.sections
        for table in section.tables
    ]
    for title, table in tables:
        _write(folder / f"{file_stem(title)}.tex", table.latex())


def file_stem(title: str) -> str:
    """Return a table's title as the stem of a file."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def _emptied(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    return folder


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
