"""Times of a run's jobs, and the time that it still takes, from how long jobs took elsewhere."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

from pedbench.engines.jobs import Done, Job
from pedbench.results.run_directory import SUITE
from pedbench.suites.files import load_whole_suite
from pedbench.suites.plan import Plan
from pedbench.suites.schema import Suite

Key = tuple[str, str]
"""Label of a defense and part of its work."""


def seconds_per_picture(runs: Sequence[Path], suite: Suite) -> dict[Key, float]:
    """Return how long each defense took for a picture under the attacks of a suite.

    Shipped measurements come first. Where the suite of this name was not measured with as many attacks, those of the
    suite with most attacks are taken.

    Args:
        runs: Earlier runs; later ones replace what earlier ones say. Those of other attacks, metrics or probes do not
            count, as what they take differs from defense to defense.
    """
    rows = [row for row in _shipped() if row["suite"] == suite.name]
    counts = {int(row["attacks"]) for row in rows}
    same = len(suite.attacks) if len(suite.attacks) in counts else max(counts, default=0)
    found = dict(_means(row for row in rows if int(row["attacks"]) == same))
    for directory in runs:
        if (directory / FILE).is_file() and _alike(directory, suite):
            with (directory / FILE).open(newline="") as file:
                found |= _means(csv.DictReader(file))
    return found


def _alike(directory: Path, suite: Suite) -> bool:
    """Return whether a run measured each picture like a suite does."""
    try:
        other = load_whole_suite(directory / SUITE)
    except (OSError, ValueError):
        return False
    return all(getattr(other, name) == getattr(suite, name) for name in ("attacks", "metrics", "probes"))


class TimeLeft:
    """Estimate of the time that a run still takes.

    Jobs are expected to take as many times what they took elsewhere as those that are done. Where nothing is known of a
    defense, its time is taken to grow with its servers as that of the others.

    Args:
        jobs: All jobs of the run.
        known: From `seconds_per_picture`.
        clock: Seconds, monotonic; begins now.
    """

    def __init__(
        self,
        plan: Plan,
        jobs: Sequence[Job],
        known: Mapping[Key, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        keys = [(plan.defenses[job.defense].defense.label, job.part) for job in jobs]
        sizes = [len(job.images) * (1 + plan.defenses[job.defense].defense.servers) for job in jobs]
        pairs = [
            (known[key] * len(job.images), size)
            for job, key, size in zip(jobs, keys, sizes, strict=True)
            if key in known
        ]
        rate = sum(seconds for seconds, _ in pairs) / sum(size for _, size in pairs) if pairs else 1.0
        self._open = {
            (job.defense, job.number): known[key] * len(job.images) if key in known else rate * size
            for job, key, size in zip(jobs, keys, sizes, strict=True)
        }
        self._clock = clock
        self._last = clock()
        self._expected = self._took = 0.0

    def after(self, done: Done) -> float | None:
        """Count a job as done, and return the seconds until all are; None until one was worth doing.

        Jobs that are done at the same time share the time since the one before.
        """
        expected = self._open.pop((done.job.defense, done.job.number))
        now = self._clock()
        if done.cell_ids:
            self._expected += expected
            self._took += max(0.0, now - self._last - done.opening)
        self._last = now
        return self._took / self._expected * sum(self._open.values()) if self._expected else None


def _means(rows: Iterable[Mapping[str, str]]) -> Iterator[tuple[Key, float]]:
    seconds: dict[Key, float] = {}
    pictures: dict[Key, int] = {}
    for row in rows:
        key = (row["defense"], row["part"])
        seconds[key] = seconds.get(key, 0.0) + float(row["seconds"]) + float(row.get("warming") or 0)
        pictures[key] = pictures.get(key, 0) + int(row["pictures"])
    for key, count in pictures.items():
        if count:
            yield key, seconds[key] / count


def _shipped() -> Iterator[dict[str, str]]:
    """Yield what `tools.release.durations` wrote."""
    with (resources.files("pedbench.engines") / "durations.csv").open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


FILE = "jobs.csv"
COLUMNS = ("defense", "part", "pictures", "seconds", "warming", "opening")


def note_time(run_dir: Path, defense: str, done: Done) -> None:
    """Append a row with the times of a job to the table of a run directory."""
    seconds = (f"{value:.4f}" for value in (done.seconds, done.warming, done.opening))
    path = run_dir / FILE
    new = not path.exists()
    with path.open("a", newline="") as file:
        table = csv.writer(file)
        if new:
            table.writerow(COLUMNS)
        table.writerow([defense, done.job.part, len(done.job.images), *seconds])
