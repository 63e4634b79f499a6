"""How long the jobs of a run took, from which it is foretold how long others take."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from pedbench.engines.jobs import Done

FILE = "jobs.csv"


class JobTime(NamedTuple):
    """Seconds of one job: see `Done`."""

    defense: str
    part: str
    pictures: int
    seconds: float
    warming: float
    opening: float


def note_time(run_dir: Path, defense: str, done: Done) -> None:
    """Add a job to those of a run directory."""
    job = done.job
    row = JobTime(defense, job.part, len(job.images), done.seconds, done.warming, done.opening)
    path = run_dir / FILE
    new = not path.exists()
    with path.open("a", newline="") as file:
        table = csv.writer(file)
        if new:
            table.writerow(JobTime._fields)
        table.writerow(
            [*row[:3], f"{row.seconds:.4f}", f"{row.warming:.4f}", f"{row.opening:.4f}"],
        )


def read_times(run_dir: Path) -> list[JobTime]:
    """The jobs of a run, in the order in which they were done.

    Raises:
        FileNotFoundError: None was done.
    """
    path = run_dir / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{run_dir} says nothing of its jobs' times: there is no {FILE} in it.")
    with path.open(newline="") as file:
        return [
            JobTime(
                row["defense"],
                row["part"],
                int(row["pictures"]),
                float(row["seconds"]),
                float(row["warming"]),
                float(row["opening"]),
            )
            for row in csv.DictReader(file)
        ]
