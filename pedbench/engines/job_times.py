"""Times of the jobs of a run, a table in the run directory."""

from __future__ import annotations

import csv
from pathlib import Path

from pedbench.engines.jobs import Done

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
