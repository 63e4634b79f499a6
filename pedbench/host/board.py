"""Table of a run whose rows fill while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

_OTHER_LINES = 9
"""Lines of a terminal that are not rows: heading, bars, time left, and what was printed before."""


def duration(seconds: float) -> str:
    """Return a duration for people: "40 s", "12 min", "3.5 h", "2.1 days"."""
    for most, unit, name in ((90, 1, "s"), (90 * 60, 60, "min")):
        if seconds < most:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 3600:.1f} h" if seconds < 36 * 3600 else f"{seconds / 86400:.1f} days"


class Board:
    """Rows in a fixed order; each is empty until it is filled.

    Args:
        rows: Names of the rows, all different.
        progress: Bars below the table.
        say: Prints a line for each filled row, where nothing is drawn.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        rows: Sequence[str],
        progress: Progress,
        say: Callable[[str], None] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows = rows
        self._progress = progress
        self._say = say
        self._clock = clock
        self._filled: dict[str, Mapping[str, str]] = {}
        self._end: float | None = None

    def fill(self, row: str, cells: Mapping[str, str]) -> None:
        """Set the cells of a row by column."""
        self._filled[row] = cells
        if self._say:
            shown = ", ".join(f"{column} {cell}" for column, cell in cells.items()) or "no number"
            self._say(f"{row}: {shown} ({len(self._filled)} of {len(self._rows)}{self._left(', ')})")

    def expect(self, seconds: float | None) -> None:
        """Set the time that is left; None if it is not known."""
        self._end = None if seconds is None else self._clock() + seconds

    def _left(self, before: str) -> str:
        if self._end is None or len(self._filled) == len(self._rows):
            return ""
        return f"{before}about {duration(max(0.0, self._end - self._clock()))} left"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns: dict[str, int] = {}
        for cells in self._filled.values():
            for column, cell in cells.items():
                words = (cell, *column.split())
                columns[column] = max(columns.get(column, 0), *(len(word) for word in words))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        room = max(8, options.max_width - sum(width + 2 for width in columns.values()) - 2)
        table.add_column("defense", overflow="ellipsis", no_wrap=True, max_width=room)
        for column, width in columns.items():
            table.add_column(column, justify="right", vertical="bottom", width=width)
        for row in self._shown(max(3, console.height - _OTHER_LINES)):
            found = self._filled.get(row)
            style = "dim" if found is None else ""
            table.add_row(Text(row), *((found or {}).get(column, "") for column in columns), style=style)
        done = f"{len(self._filled)} of {len(self._rows)} defenses{self._left(', ')}"
        yield Group(table, Text(done), self._progress)

    def _shown(self, most: int) -> Sequence[str]:
        """Return as many rows as fit: those filled last, and those that come next."""
        first = max(0, min(len(self._filled) - most // 2, len(self._rows) - most))
        return self._rows[first : first + most]
