"""Profile of a run: named stages whose times add up to the whole."""

from __future__ import annotations

import csv
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pedbench.host.provenance import cores

FILE = "profile.csv"

SMALL = 0.002
"""Parts with a smaller share of the whole are not printed."""

WAITING = "waiting, sending, loading"
"""Name of a stage's time that no job accounts for."""


class Share(NamedTuple):
    """Time of a stage or of a part of it.

    Attributes:
        part: Kind of the stage's jobs; "" for time that no job accounts for, such as waiting.
        seconds: Wall time; for jobs that ran in parallel, each one's fraction.
        share: Share of the whole profile.
    """

    stage: str
    part: str
    seconds: float
    share: float


@dataclass
class Stage:
    """A running stage.

    Attributes:
        seconds: Its own time, without that of nested stages.
        parts: (job, seconds) of the parallel jobs inside it; any thread may append.
    """

    name: str
    seconds: float = 0.0
    parts: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def part(self, job: str) -> Iterator[None]:
        """Time a job of the stage."""
        began = time.perf_counter()
        yield
        self.parts.append((job, time.perf_counter() - began))


class Profile:
    """Stopwatches for the stages of a run.

    Stages may be nested and are opened by one thread; each second counts for the innermost.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = self._mark = clock()
        self._open: list[Stage] = []
        self._seconds: dict[tuple[str, str], float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str, workers: int | None = None) -> Iterator[Stage]:
        """Time what happens inside.

        Args:
            workers: Number of jobs that run in parallel; by default the number of cores.
        """
        self._accrue()
        stage = Stage(name)
        self._open.append(stage)
        try:
            yield stage
        finally:
            self._accrue()
            self._open.pop()
            self._enter(stage, workers or cores())

    def _accrue(self) -> None:
        now = self._clock()
        if self._open:
            self._open[-1].seconds += now - self._mark
        self._mark = now

    def _enter(self, stage: Stage, workers: int) -> None:
        worked = sum(seconds for _, seconds in stage.parts)
        # Jobs that run in parallel on shared cores may add up to more than the time that passed.
        scale = min(1 / workers, stage.seconds / worked) if worked else 0.0
        for job, seconds in stage.parts:
            self._seconds[stage.name, job] += seconds * scale
        self._seconds[stage.name, ""] += stage.seconds - worked * scale

    def table(self) -> list[Share]:
        """Return the finished stages, longest first; last, as "elsewhere", the time that no stage accounts for."""
        whole = self._clock() - self._began
        spent = sorted(self._seconds.items(), key=lambda item: -item[1])
        rest = whole - sum(seconds for _, seconds in spent)
        return [Share(*key, seconds, seconds / whole) for key, seconds in [*spent, (("elsewhere", ""), rest)]]

    def write(self, run_dir: Path) -> None:
        """Write the table into a run directory."""
        with (run_dir / FILE).open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(Share._fields)
            table.writerows(
                (row.stage, row.part, f"{row.seconds:.4f}", f"{row.share:.4f}") for row in self.table()
            )


def read_profile(run_dir: Path) -> list[Share]:
    """Read the table that `Profile.write` wrote.

    Raises:
        FileNotFoundError: The run directory has none.
    """
    with (run_dir / FILE).open(newline="") as file:
        rows = csv.DictReader(file)
        return [Share(row["stage"], row["part"], float(row["seconds"]), float(row["share"])) for row in rows]


def by_stage(table: Sequence[Share]) -> list[tuple[Share, list[Share]]]:
    """Group a table by stage: the sum of each, longest first, with its parts of at least the share `SMALL`."""
    stages: dict[str, list[Share]] = defaultdict(list)
    for row in table:
        stages[row.stage].append(row)
    groups = []
    for name, rows in stages.items():
        whole = Share(name, "", sum(row.seconds for row in rows), sum(row.share for row in rows))
        parts = [row._replace(part=row.part or WAITING) for row in rows if row.share >= SMALL]
        groups.append((whole, parts if len(rows) > 1 else []))
    return sorted(groups, key=lambda item: -item[0].seconds)


def describe_profile(table: Sequence[Share]) -> str:
    """Format a profile as text: a line per stage, followed by its larger parts."""
    lines = [_line("stage", "seconds", "share")]
    for whole, parts in by_stage(table):
        lines.append(_line(whole.stage, f"{whole.seconds:.1f}", f"{whole.share:.1%}"))
        lines += [_line(f"  {row.part}", f"{row.seconds:.1f}", f"{row.share:.1%}") for row in parts]
    return "\n".join([*lines, _line("all", f"{sum(row.seconds for row in table):.1f}", "")])


def _line(name: str, seconds: str, share: str) -> str:
    return f"{name:<44}{seconds:>9}{share:>8}".rstrip()
