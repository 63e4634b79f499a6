"""Progress of a run for people: live bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console as RichConsole
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.progress import TimeRemainingColumn as Remaining

from pedbench.host.board import Board

QUIET_SECONDS = 2.0
"""Stages that take no longer than this print no line."""

LINE_SECONDS = 10.0
"""Seconds between two plain lines about one stage."""


def harmless(text: str) -> str:
    """Replace control characters, as text may come from an untrusted file or server."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)


class Console:
    """Messages and progress on one stream.

    Args:
        stream: Standard error by default, as standard output belongs to results.
        clock: Seconds, monotonic.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rich = RichConsole(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._clock = clock
        self._progress: Progress | None = None

    def line(self, text: str) -> None:
        """Print a line of text as it is, without markup."""
        self._rich.print(harmless(text), markup=False)

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show the progress of a stage; stages may be nested.

        Args:
            name: Name of the stage, e.g. "ped_sam(servers=3), attacks".
            total: Number of steps, if known.

        Yields:
            A function to call with the number of further steps done.
        """
        if self._rich.is_terminal:
            with self._bar(name, total) as advance:
                yield advance
        else:
            with self._lines(name, total) as advance:
                yield advance

    @contextmanager
    def board(self, rows: Sequence[str]) -> Iterator[Board]:
        """Show a table whose rows fill meanwhile, with the stages of the block below; plain lines elsewhere.

        Args:
            rows: Names of the rows, all different.
        """
        rows = [harmless(row) for row in rows]
        if not self._rich.is_terminal:
            yield Board(rows, self._bars(), self.line, self._clock)
            return
        self._progress = self._bars()
        board = Board(rows, self._progress, None, self._clock)
        try:
            with Live(board, console=self._rich, transient=True):
                yield board
        finally:
            self._progress = None

    def _bars(self) -> Progress:
        column = TextColumn("{task.description}", markup=False)
        columns = (SpinnerColumn(), column, BarColumn(), MofNCompleteColumn(), Elapsed(), Remaining())
        return Progress(*columns, console=self._rich, transient=True)

    @contextmanager
    def _bar(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        progress, outermost = self._progress, self._progress is None
        if progress is None:
            progress = self._progress = self._bars()
            progress.start()
        task = progress.add_task(name, total=total)
        try:
            yield lambda steps: progress.advance(task, steps)
        finally:
            progress.remove_task(task)
            if outermost:
                progress.stop()
                self._progress = None

    @contextmanager
    def _lines(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        start = self._clock()
        due = start + QUIET_SECONDS
        done = 0

        def advance(steps: int) -> None:
            nonlocal due, done
            done += steps
            now = self._clock()
            if now >= due and done != total:
                due = now + LINE_SECONDS
                left = (
                    f" of {total}, about {(now - start) * (total - done) / done:.0f} s left"
                    if total and done
                    else ""
                )
                self.line(f"{name}: {done}{left}")

        yield advance
        seconds = self._clock() - start
        if seconds >= QUIET_SECONDS:
            self.line(f"{name}: {f'{done} ' if done else ''}done in {seconds:.1f} s")
