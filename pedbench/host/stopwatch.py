"""Where a run's time goes: named stages that add up to the whole."""

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
"""What of a stage with jobs is no job's."""


class Share(NamedTuple):
    """What a stage, or a part of it, took.

    Attributes:
        part: Which of the stage's jobs; "" for what is no job's, such as waiting.
        seconds: Wall time; of jobs that ran beside each other, each its fraction.
        share: Of the whole profile.
    """

    stage: str
    part: str
    seconds: float
    share: float


@dataclass
class Stage:
    """A stage under way.

    Attributes:
        seconds: Its own time, without that of stages inside it.
        parts: (what, seconds) of jobs that ran beside each other inside it; appended to from any thread.
    """

    name: str
    seconds: float = 0.0
    parts: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def part(self, what: str) -> Iterator[None]:
        """Time a job of the stage."""
        began = time.perf_counter()
        yield
        self.parts.append((what, time.perf_counter() - began))


class Profile:
    """Stopwatches for the stages of a run.

    Stages may lie within each other and are opened by one thread; each second belongs to the innermost.

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
            workers: How many jobs of it run beside each other; as many as there are cores without it.
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
        # Beside each other on shared cores, jobs may seem to take longer than there was time.
        scale = min(1 / workers, stage.seconds / worked) if worked else 0.0
        for what, seconds in stage.parts:
            self._seconds[stage.name, what] += seconds * scale
        self._seconds[stage.name, ""] += stage.seconds - worked * scale

    def table(self) -> list[Share]:
        """All stages that are over, the longest first; last, under "elsewhere", what no stage accounts for."""
        whole = self._clock() - self._began
        spent = sorted(self._seconds.items(), key=lambda item: -item[1])
        rest = whole - sum(seconds for _, seconds in spent)
        return [Share(*key, seconds, seconds / whole) for key, seconds in [*spent, (("elsewhere", ""), rest)]]

    def write(self, run_dir: Path) -> None:
        """Leave the table in a run directory."""
        with (run_dir / FILE).open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(Share._fields)
            table.writerows(
                (row.stage, row.part, f"{row.seconds:.4f}", f"{row.share:.4f}") for row in self.table()
            )


def read_profile(run_dir: Path) -> list[Share]:
    """The table that `Profile.write` left.

    Raises:
        FileNotFoundError: None was left.
    """
    with (run_dir / FILE).open(newline="") as file:
        rows = csv.DictReader(file)
        return [Share(row["stage"], row["part"], float(row["seconds"]), float(row["share"])) for row in rows]


def by_stage(table: Sequence[Share]) -> list[tuple[Share, list[Share]]]:
    """Each stage as a whole, the longest first, with those of its parts that count, if it has any."""
    stages: dict[str, list[Share]] = defaultdict(list)
    for row in table:
        stages[row.stage].append(row)
    found = []
    for name, rows in stages.items():
        whole = Share(name, "", sum(row.seconds for row in rows), sum(row.share for row in rows))
        parts = [row._replace(part=row.part or WAITING) for row in rows if row.share >= SMALL]
        found.append((whole, parts if len(rows) > 1 else []))
    return sorted(found, key=lambda item: -item[0].seconds)


def describe_profile(table: Sequence[Share]) -> str:
    """The table of a profile as text: a line a stage, and below it one for each part that counts."""
    lines = [_line("stage", "seconds", "share")]
    for whole, parts in by_stage(table):
        lines.append(_line(whole.stage, f"{whole.seconds:.1f}", f"{whole.share:.1%}"))
        lines += [_line(f"  {row.part}", f"{row.seconds:.1f}", f"{row.share:.1%}") for row in parts]
    return "\n".join([*lines, _line("all", f"{sum(row.seconds for row in table):.1f}", "")])


def _line(name: str, seconds: str, share: str) -> str:
    return f"{name:<44}{seconds:>9}{share:>8}".rstrip()
