"""A table of names and numbers, rendered as Markdown, LaTeX, HTML or for a terminal.

Cells hold plain text, names and numbers; each rendering escapes them and rounds the numbers. Nothing here knows what
a table is about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable
from rich.text import Text
from tabulate import tabulate

from pedbench.report.words.inline import Inline, inline_html, inline_latex, inline_markdown, inline_terminal
from pedbench.report.words.text import NOTHING, arrow, estimate


class Interval(NamedTuple):
    """A number with the ends of its interval; an end that is None or NaN is not shown."""

    value: Any
    low: Any
    high: Any


Cell = Any
"""A text, a number (None or NaN where it is not defined), an `Interval`, or a tuple of these in a row."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        title: Heading, without the arrow.
        better: Which way the defender wants the numbers to go: "higher", "lower" or "" (neither).
        unit: Unit of the numbers: "s", "B", "dB" or "".
        write: How a number is written; rounded to its unit without.
        text: Whether the cells are text, aligned to the left.
        optional: Whether the column is left out where all its cells are empty.
    """

    title: str
    better: str = ""
    unit: str = ""
    write: Callable[[float], str] | None = None
    text: bool = False
    optional: bool = False

    def spans(self, cell: Cell) -> tuple[str, ...]:
        """Return the texts that a cell consists of."""
        if isinstance(cell, Interval):
            return (self._number(*cell),)
        if isinstance(cell, tuple):
            return tuple(span for part in cell for span in self.spans(part))
        if isinstance(cell, str):
            return (cell,)
        return (str(cell) if isinstance(cell, Integral) else self._number(cell, None, None),)

    def _number(self, value: Any, low: Any, high: Any) -> str:
        if self.write is None:
            return estimate(value, low, high, self.unit)
        if pd.isna(value):
            return NOTHING
        ends = "" if pd.isna(low) or pd.isna(high) else f" [{self.write(low)}, {self.write(high)}]"
        return f"{self.write(value)}{ends}"


def columns(*titles: str, **settings: Any) -> list[Column]:
    """Return columns that have all settings but the title in common."""
    return [Column(title=title, **settings) for title in titles]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns and rows.

    Attributes:
        rows: Each with a `Cell` for each column.
        title: What a heading above the table says.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    title: Inline = ""

    def markdown(self) -> str:
        """Return the table in Markdown, without its title."""
        shown, head, body = self._rendered(inline_markdown)
        sides = ["left" if column.text else "right" for column in shown]
        text: str = tabulate(body, head, tablefmt="pipe", disable_numparse=True, colalign=sides)
        return text

    def latex(self) -> str:
        """Return the table as a `tabular` with the rules of the package booktabs."""
        shown, head, body = self._rendered(inline_latex)
        sides = "".join("l" if column.text else "r" for column in shown)
        first, *rest = (" & ".join(row) + r" \\" for row in (head, *body))
        lines = [rf"\begin{{tabular}}{{{sides}}}", r"\toprule", first, r"\midrule", *rest, r"\bottomrule"]
        return "\n".join([*lines, r"\end{tabular}"]) + "\n"

    def html(self) -> str:
        """Return the table as HTML, without its title."""
        shown, head, body = self._rendered(inline_html)
        sides = ["left" if column.text else "right" for column in shown]

        def line(row: Sequence[str], tag: str) -> str:
            pairs = zip(row, sides, strict=True)
            cells = [f'<{tag} style="text-align:{side}">{cell}</{tag}>\n' for cell, side in pairs]
            return f"<tr>\n{''.join(cells)}</tr>\n"

        rows = f"<tbody>\n{''.join(line(row, 'td') for row in body)}</tbody>\n" if body else ""
        return f"<table>\n<thead>\n{line(head, 'th')}</thead>\n{rows}</table>\n"

    def rich(self, **options: Any) -> RichTable:
        """Return the table for a terminal; intervals stand below their numbers.

        Args:
            options: Passed on to `rich.table.Table`.
        """
        shown, head, body = self._rendered(inline_terminal)
        table = RichTable(title=Text(inline_terminal(self.title)), box=SIMPLE_HEAD, **options)
        for column, title in zip(shown, head, strict=True):
            if column.text:
                table.add_column(Text(title), overflow="fold", min_width=16)
            else:
                table.add_column(Text(title), justify="right", no_wrap=True)
        for row in body:
            table.add_row(*(Text(cell.replace(" [", "\n[")) for cell in row))
        return table

    def _rendered(self, inline: Callable[[Inline], str]) -> tuple[list[Column], list[str], list[list[str]]]:
        """Return the columns that are shown, their headings, and the rows' cells."""
        kept = [
            place
            for place, column in enumerate(self.columns)
            if not column.optional or any(row[place] != "" for row in self.rows)
        ]
        shown = [self.columns[place] for place in kept]
        rows = [[inline(self.columns[place].spans(row[place])) for place in kept] for row in self.rows]
        return shown, [inline(f"{column.title}{arrow(column.better)}") for column in shown], rows
