"""Progress of an unfinished defense, so that a killed run continues with the missing shards.

For each shard, a note lists the cells whose values are written, and their problems. Notes are files in the folder
`shards` of the run directory, and are removed after the defense's records are written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, isfinite
from pathlib import Path
from typing import Any

from pedbench.engines import jobs
from pedbench.engines.jobs import Done, Job
from pedbench.host.files import write_atomically
from pedbench.measure.code_identity import code_of
from pedbench.measure.outcome import Outcome, Row
from pedbench.results.exhibits import write_exhibit
from pedbench.results.values import DEFAULTS, remove_values, write_values
from pedbench.suites.cell import canonical_json
from pedbench.suites.plan import DefensePlan, Plan
from pedbench.types import Status

FOLDER = "shards"


@dataclass(kw_only=True)
class Note:
    """The results of a shard apart from its values.

    Attributes:
        cells: Ids of the cells that are finished on this shard.
        problems, unfit, flags, distrust, confinement, uploads, guesses: As in an `Outcome`.
        machines: Ids of the machines that did the job.
    """

    cells: list[str] = field(default_factory=list)
    problems: dict[str, tuple[Status, str]] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    flags: dict[str, list[str]] = field(default_factory=dict)
    distrust: dict[str, str] = field(default_factory=dict)
    confinement: dict[str, dict[str, bool]] = field(default_factory=dict)
    uploads: dict[str, dict[str, int]] = field(default_factory=dict)
    guesses: dict[str, list[float]] = field(default_factory=dict)
    machines: list[str] = field(default_factory=list)

    def forget(self, cells: Collection[str]) -> None:
        """Remove cells from the note."""
        self.cells = [cell_id for cell_id in self.cells if cell_id not in cells]
        by_cell: tuple[dict[str, Any], ...] = (self.problems, self.unfit, self.flags, self.distrust)
        for results in (*by_cell, self.confinement, self.uploads):
            for cell_id in set(results) & set(cells):
                del results[cell_id]


def fingerprint(plan: Plan) -> str:
    """Return a hash of the source of a plan's plugins: changed code must not continue a run's shards."""
    planned = [*plan.attacks, *plan.probes, *(defense_plan.planned for defense_plan in plan.defenses)]
    plugins = [plan.dataset, *(each.plugin for each in planned), *plan.metrics]
    return hashlib.sha256("".join(sorted({code_of(each) for each in plugins})).encode()).hexdigest()


class Shards:
    """The finished shards of one defense, in memory and in a run directory.

    Args:
        code: `fingerprint` of the whole plan.

    Attributes:
        stem: Beginning of the file names of its notes.
    """

    def __init__(self, plan: DefensePlan, run_dir: Path, code: str) -> None:
        self._run_dir = run_dir
        identity = canonical_json([[cell.cell_id for cell in plan.cells()], jobs.SHARD, code])
        self.stem = hashlib.sha256(identity.encode()).hexdigest()[:12]
        # Latency cells restart from the first shard: all times of a cell come from one run.
        self._resumable = {cell.cell_id for cell in plan.cells() if cell.kind != "latency"}
        self._notes = {
            int(path.stem.rpartition("-")[2]): Note(**json.loads(path.read_text(encoding="utf-8")))
            for path in (run_dir / FOLDER).glob(f"{self.stem}-*.json")
        }

    def begin(self, jobs: Sequence[Job], restart: Collection[str]) -> list[Job]:
        """Discard values and notes that cannot be continued.

        Args:
            jobs: All jobs of the cells to fill.
            restart: Ids of cells to measure from the first shard on.

        Returns:
            The jobs with missing cells, reduced to these cells.
        """
        cell_ids = {cell_id for job in jobs for cell_id in job.cell_ids}
        discarded = self._problem_cells() | (cell_ids - self._resumable) | set(restart)
        for number, note in self._notes.items():
            note.forget(discarded)
            self._write(number)
        for cell_id in cell_ids:
            finished = {number for number, note in self._notes.items() if cell_id in note.cells}
            remove_values(self._run_dir, cell_id, keep=finished)
        return [job for job in map(self._missing, jobs) if job.cell_ids]

    def _missing(self, job: Job) -> Job:
        return replace(job, cell_ids=job.cell_ids - set(self._notes.get(job.number, Note()).cells))

    def remaining(self, job: Job) -> frozenset[str]:
        """Return the ids of a job's cells without a problem on earlier shards."""
        return job.cell_ids - self._problem_cells(job.number)

    def _problem_cells(self, until: float = inf) -> set[str]:
        return {
            cell_id for number, note in self._notes.items() if number < until for cell_id in note.problems
        }

    def absorb(self, done: Done) -> None:
        """Write the values of a shard, then its note. A value that is not finite makes its cell invalid."""
        if not done.cell_ids:
            return
        outcome, number = done.outcome, done.job.number
        filled = {cell_id: [DEFAULTS | row for row in rows] for cell_id, rows in outcome.rows.items() if rows}
        for cell_id, rows in filled.items():
            if gap := _gap(rows):
                outcome.problems.setdefault(cell_id, ("invalid", gap))
        dropped = self._problem_cells() | set(outcome.problems)
        for exhibit in outcome.exhibits:
            write_exhibit(self._run_dir, exhibit)
        for cell_id, rows in filled.items():
            if cell_id not in dropped:
                columns = {name: [row[name] for row in rows] for name in rows[0]}
                write_values(self._run_dir, cell_id, number, columns)
        self._note(done)
        for cell_id in outcome.problems:
            remove_values(self._run_dir, cell_id)

    def _note(self, done: Done) -> None:
        note, outcome = self._notes.setdefault(done.job.number, Note()), done.outcome
        note.cells += sorted(done.cell_ids - set(note.cells))
        note.problems |= outcome.problems
        note.unfit |= outcome.unfit
        note.flags |= {cell_id: sorted(flags) for cell_id, flags in outcome.flags.items()}
        note.distrust |= outcome.distrust
        note.confinement |= outcome.confinement
        note.uploads |= outcome.uploads
        for label, seconds in outcome.guesses.items():
            note.guesses.setdefault(label, []).extend(seconds)
        note.machines = sorted({*note.machines, done.machine} - {""})
        self._write(done.job.number)

    def _write(self, number: int) -> None:
        path = self._run_dir / FOLDER / f"{self.stem}-{number:04d}.json"
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(asdict(self._notes[number])))

    def total(self) -> Outcome:
        """Return the results of all shards apart from values.

        The result does not depend on the order of jobs: results of a cell after its first shard with a problem are
        ignored.
        """
        total = Outcome()
        for _, note in sorted(self._notes.items()):
            for cell_id in set(note.cells) - set(total.problems):
                total.flags[cell_id] |= set(note.flags.get(cell_id, ()))
                if cell_id in note.confinement:
                    before = total.confinement.get(cell_id, {})
                    total.confinement[cell_id] = {
                        means: in_force and before.get(means, True)
                        for means, in_force in note.confinement[cell_id].items()
                    }
                total.add_uploads(cell_id, note.uploads.get(cell_id, {}))
                if cell_id in note.distrust:
                    total.distrust.setdefault(cell_id, note.distrust[cell_id])
                if cell_id in note.unfit:
                    total.unfit[cell_id] = note.unfit[cell_id]
                if cell_id in note.problems:
                    total.problems[cell_id] = note.problems[cell_id]
            for label, seconds in note.guesses.items():
                total.guesses[label] += seconds
        return total

    @property
    def machines(self) -> list[str]:
        """Ids of all machines that did a job, sorted."""
        return sorted({machine for note in self._notes.values() for machine in note.machines})

    def clear(self) -> None:
        """Remove the notes; call it after the records are written."""
        for path in (self._run_dir / FOLDER).glob(f"{self.stem}-*"):
            path.unlink()


def clear_others(run_dir: Path, current: Sequence[Shards]) -> None:
    """Remove all notes but those of `current`, and the folder if it is empty then."""
    folder = run_dir / FOLDER
    if folder.is_dir():
        stems = {shards.stem for shards in current}
        for path in folder.iterdir():
            if path.suffix != ".json" or path.stem.rpartition("-")[0] not in stems:
                path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()


def _gap(rows: Sequence[Row]) -> str:
    """Describe the first value that is not finite; return "" if all are finite."""
    row = next((row for row in rows if not isfinite(row["value"])), None)
    if row is None:
        return ""
    name = f"{row['metric']}, {row['region']}" if row["region"] else row["metric"]
    return f"picture {row['image']}: {name} is {row['value']}, which is not a finite number"
