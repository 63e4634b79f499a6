"""The overview for a terminal."""

from __future__ import annotations

import pandas as pd
from rich.console import Console
from rich.markdown import Markdown as RichMarkdown
from rich.table import Table
from rich.text import Text

from pedbench.report.numbers.combined import combined
from pedbench.report.tables.overview import narrow_table, without_controls
from pedbench.report.words.headline import headline_sentence
from pedbench.results.run import Run
from pedbench.validity.controls import controls

_WIDE = 200
"""Columns where nobody says how many there are: in a file or a pipe."""


def print_overview(run: Run) -> None:
    """Print the headline and the combined table.

    Raises:
        ValueError: A file of the run cannot be understood.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    frame = combined(run)
    compared, apart = without_controls(frame, controls(run))
    console.print(console_table(run, compared, console.width))
    if len(apart):
        table, _ = narrow_table(apart, "Controls").fitted(console.width)
        console.print(table.rich(console.width))
    console.print(RichMarkdown(headline_sentence(run, frame, controls(run))))


def console_table(run: Run, frame: pd.DataFrame, width: int) -> Table:
    """Return the overview with fewer columns than in the report, as many as a terminal holds.

    Args:
        frame: What `combined` makes of the run.
        width: Letters of the terminal's lines.
    """
    title = f"{run.suite.name}: {run.suite.dataset.name}, {run.pictures} pictures, model {run.suite.model}"
    table, left_out = narrow_table(frame, title).fitted(width)
    caption = "95 % bootstrap intervals over pictures; arrows: better for the defender"
    if left_out:
        caption += f"\nin the report, or in a wider terminal: {', '.join(left_out)}"
    return table.rich(width, caption=Text(caption))
