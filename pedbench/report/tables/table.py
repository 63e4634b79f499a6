"""A table of names and numbers, rendered as Markdown, LaTeX, HTML or for a terminal.

Cells hold plain text, names and numbers; each rendering escapes them and rounds the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from numbers import Integral
from typing import Any, NamedTuple

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text
from tabulate import tabulate

from pedbench.report.words.inline import Inline, inline_html, inline_latex, inline_markdown, inline_terminal
from pedbench.report.words.text import NOTHING, arrow, estimate

_WORD_WIDTH = 20
"""Letters of a terminal that a column of text has at least, unless all its words are shorter."""


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
        group: Name of the columns that `Table.fitted` leaves out together; it keeps columns without one.
        above, below: On pages and terminals in the place of the title: the heading that neighbouring columns share, and
            the column's own below it.
    """

    title: str
    better: str = ""
    unit: str = ""
    write: Callable[[float], str] | None = None
    text: bool = False
    optional: bool = False
    group: str = ""
    above: str = ""
    below: str = ""

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
        # After a row, LaTeX takes a bracket or an asterisk for an argument.
        rest = [f"{{}}{row}" if row.startswith(("[", "*")) else row for row in rest]
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
        headings = _two_lines(shown, head) if any(column.above for column in shown) else line(head, "th")
        return f"<table>\n<thead>\n{headings}</thead>\n{rows}</table>\n"

    def shows(self, text: str) -> bool:
        """Return whether a cell holds a text."""
        return any(
            text in span
            for row in self.rows
            for column, cell in zip(self.columns, row, strict=True)
            for span in column.spans(cell)
        )

    def groups(self) -> Iterator[tuple[str, Table]]:
        """Yield each group of columns by its name, with the columns without one in front."""
        for group in dict.fromkeys(column.group for column in self.columns if column.group):
            yield group, self._restricted(["", group])

    def fitted(self, width: int) -> tuple[Table, list[str]]:
        """Return the table with the groups of columns that fit into a terminal, and the names of the others.

        Args:
            width: Letters of the terminal's lines.
        """
        shown, left_out = [""], list[str]()
        for group in dict.fromkeys(column.group for column in self.columns if column.group):
            fits = self._restricted([*shown, group]).least_width() <= width
            (shown if fits else left_out).append(group)
        return self._restricted(shown), left_out

    def parts(self, width: int) -> Iterator[Table]:
        """Yield the table in parts for a terminal: each has the columns without a group, and the groups that fit next.

        Args:
            width: Letters of the terminal's lines. A group that does not fit by itself is a part of its own.
        """
        shown = list[str]()
        for group in dict.fromkeys(column.group for column in self.columns if column.group):
            if shown and self._restricted(["", *shown, group]).least_width() > width:
                yield self._restricted(["", *shown])
                shown = []
            shown.append(group)
        yield self._restricted(["", *shown])

    def least_width(self) -> int:
        """Return the width of a terminal, in letters, that holds each number in one line."""
        shown, head, body = self._for_terminal()
        widths = [_least(column, cells) for column, *cells in zip(shown, head, *body, strict=True)]
        # A letter of padding on both sides of each column, one between columns and one at both ends.
        return sum(widths) + 3 * len(widths) + 1

    def rich(self, width: int, **options: Any) -> RichTable:
        """Return the table for a terminal; intervals stand below their numbers.

        Args:
            width: Letters of the terminal's lines. Below `least_width`, numbers are folded, too.
            options: Passed on to `rich.table.Table`.
        """
        shown, head, body = self._for_terminal()
        fold = self.least_width() > width
        table = RichTable(title=Text(inline_terminal(self.title)), box=SIMPLE_HEAD, **options)
        for column, title, *cells in zip(shown, head, *body, strict=True):
            numeric: dict[str, Any] = {"justify": "right", "no_wrap": not fold}
            settings = {"min_width": _least(column, [title, *cells])} if column.text else numeric
            table.add_column(Text(title), overflow="fold", **settings)
        for row in body:
            table.add_row(*map(Text, row))
        return table

    def _restricted(self, groups: Collection[str]) -> Table:
        """Return the table with the columns of these groups only."""
        kept = [place for place, column in enumerate(self.columns) if column.group in groups]
        return replace(
            self,
            columns=[self.columns[place] for place in kept],
            rows=[[row[place] for place in kept] for row in self.rows],
        )

    def _for_terminal(self) -> tuple[list[Column], list[str], list[list[str]]]:
        shown, _, body = self._rendered(inline_terminal)
        titles = (f"{column.above}\n{column.below}" if column.above else column.title for column in shown)
        head = [
            inline_terminal(title.replace(", ", ",\n") + arrow(column.better))
            for title, column in zip(titles, shown, strict=True)
        ]
        return shown, head, [[re.sub(r" (\[|\(least)", r"\n\1", cell) for cell in row] for row in body]

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


def _least(column: Column, cells: Sequence[str]) -> int:
    """Return the letters that a terminal's column has at least: of its longest number, or of a word of text."""
    if column.text:
        return min(_WORD_WIDTH, max(cell_len(word) for cell in cells for word in cell.split()))
    return max(cell_len(line) for cell in cells for line in cell.split("\n"))


def _two_lines(shown: Sequence[Column], head: Sequence[str]) -> str:
    """Return the rows of headings of which neighbours share one above; each column's own is numbered for scripts."""
    upper: list[str] = []
    lower: list[str] = []
    for above, places in groupby(range(len(shown)), key=lambda place: shown[place].above):
        for place in (members := list(places)):
            column, side = shown[place], "left" if shown[place].text else "right"
            own = inline_html(f"{column.below}{arrow(column.better)}") if above else head[place]
            rows = "" if above else " rowspan=2"
            cell = f'<th data-column="{place}"{rows} style="text-align:{side}">{own}</th>\n'
            (lower if above else upper).append(cell)
        if above:
            upper.append(f'<th colspan="{len(members)}" class="above">{inline_html(above)}</th>\n')
    return f"<tr>\n{''.join(upper)}</tr>\n<tr>\n{''.join(lower)}</tr>\n"
