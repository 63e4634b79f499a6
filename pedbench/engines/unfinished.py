"""How far the measuring of a defense has come, so that a run that was killed goes on with the shards that it lacks.

Beside the values of a shard, a note says for which cells the shard is finished and what became of them. It lies in
the folder `shards` of the run directory until the records of the defense are written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd

from pedbench.engines import jobs
from pedbench.engines.jobs import Done, Job
from pedbench.host.files import write_atomically
from pedbench.measure.outcome import Outcome
from pedbench.registry import source_hash
from pedbench.results.exhibits import write_exhibit
from pedbench.results.values import DEFAULTS, remove_values, write_values
from pedbench.suites.cell import canonical_json
from pedbench.suites.plan import DefensePlan, Plan
from pedbench.types import Status

FOLDER = "shards"


@dataclass(kw_only=True)
class Note:
    """What became of some cells on a shard, beside their values.

    Attributes:
        cells: Ids of those that are finished with it.
        problems, unfit, flags, guesses: As in an `Outcome`.
        machines: Ids of the machines that did it.
    """

    cells: list[str] = field(default_factory=list)
    problems: dict[str, tuple[Status, str]] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    flags: dict[str, list[str]] = field(default_factory=dict)
    guesses: dict[str, list[float]] = field(default_factory=dict)
    machines: list[str] = field(default_factory=list)

    def forget(self, cells: Collection[str]) -> None:
        """Leave cells out, as if they had never been asked for."""
        self.cells = [cell_id for cell_id in self.cells if cell_id not in cells]
        for told in (self.problems, self.unfit, self.flags):
            for cell_id in set(told) & set(cells):
                del told[cell_id]


def fingerprint(plan: Plan) -> str:
    """Tells the code of a plan's plugins from any other: what is unfinished is not continued by other code."""
    planned = [*plan.attacks, *plan.probes, *(of.planned for of in plan.defenses)]
    kinds = {type(plan.dataset), *(type(each.plugin) for each in planned), *map(type, plan.metrics)}
    return hashlib.sha256("".join(sorted(map(source_hash, kinds))).encode()).hexdigest()


class Shards:
    """The finished shards of one defense, in memory and in a run directory.

    Args:
        code: `fingerprint` of the plan.

    Attributes:
        stem: What the names of its notes begin with.
    """

    def __init__(self, of: DefensePlan, run_dir: Path, code: str) -> None:
        self._run_dir = run_dir
        named = canonical_json([[cell.cell_id for cell in of.cells()], jobs.SHARD, code])
        self.stem = hashlib.sha256(named.encode()).hexdigest()[:12]
        # Times of a cell come of one go.
        self._kept = {cell.cell_id for cell in of.cells() if cell.kind != "latency"}
        self._notes = {
            int(path.stem.rpartition("-")[2]): Note(**json.loads(path.read_text(encoding="utf-8")))
            for path in (run_dir / FOLDER).glob(f"{self.stem}-*.json")
        }

    def begin(self, jobs: Sequence[Job], afresh: Collection[str]) -> list[Job]:
        """Forget what cannot be continued.

        Args:
            jobs: All that would fill the wanted cells.
            afresh: Cells that are to be measured from the beginning, whatever there is of them.

        Returns:
            The jobs that are missing, with the cells that each lacks.
        """
        wanted = {cell_id for job in jobs for cell_id in job.wanted}
        lost = self._spoilt() | (wanted - self._kept) | set(afresh)
        for number, note in self._notes.items():
            note.forget(lost)
            self._write(number)
        for cell_id in wanted:
            finished = {number for number, note in self._notes.items() if cell_id in note.cells}
            remove_values(self._run_dir, cell_id, keep=finished)
        return [job for job in map(self._missing, jobs) if job.wanted]

    def _missing(self, job: Job) -> Job:
        return replace(job, wanted=job.wanted - set(self._notes.get(job.number, Note()).cells))

    def left(self, job: Job) -> frozenset[str]:
        """Which of a job's cells no earlier shard has spoilt."""
        return job.wanted - self._spoilt(job.number)

    def _spoilt(self, until: float = inf) -> set[str]:
        return {
            cell_id for number, note in self._notes.items() if number < until for cell_id in note.problems
        }

    def absorb(self, done: Done) -> None:
        """Write the values of a shard, then its note; a value that is not finite ends its cell."""
        if not done.asked:
            return
        outcome, number = done.outcome, done.job.number
        frames = {
            cell_id: pd.DataFrame([DEFAULTS | row for row in rows])
            for cell_id, rows in outcome.rows.items()
            if rows
        }
        for cell_id, frame in frames.items():
            if gap := _gap(frame):
                outcome.problems.setdefault(cell_id, ("invalid", gap))
        spoilt = self._spoilt() | set(outcome.problems)
        for exhibit in outcome.exhibits:
            write_exhibit(self._run_dir, exhibit)
        for cell_id, frame in frames.items():
            if cell_id not in spoilt:
                write_values(self._run_dir, cell_id, number, frame)
        self._note(done)
        for cell_id in outcome.problems:
            remove_values(self._run_dir, cell_id)

    def _note(self, done: Done) -> None:
        note, outcome = self._notes.setdefault(done.job.number, Note()), done.outcome
        note.cells += sorted(done.asked - set(note.cells))
        note.problems |= outcome.problems
        note.unfit |= outcome.unfit
        note.flags |= {cell_id: sorted(flags) for cell_id, flags in outcome.flags.items()}
        for label, seconds in outcome.guesses.items():
            note.guesses.setdefault(label, []).extend(seconds)
        note.machines = sorted({*note.machines, done.machine} - {""})
        self._write(done.job.number)

    def _write(self, number: int) -> None:
        path = self._run_dir / FOLDER / f"{self.stem}-{number:04d}.json"
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(asdict(self._notes[number])))

    def total(self) -> Outcome:
        """What became of the defense on all shards, values aside.

        As if they had been done in order: a cell is not looked at after the first shard that spoilt it.
        """
        total = Outcome()
        for _, note in sorted(self._notes.items()):
            for cell_id in set(note.cells) - set(total.problems):
                total.flags[cell_id] |= set(note.flags.get(cell_id, ()))
                if cell_id in note.unfit:
                    total.unfit[cell_id] = note.unfit[cell_id]
                if cell_id in note.problems:
                    total.problems[cell_id] = note.problems[cell_id]
            for label, seconds in note.guesses.items():
                total.guesses[label] += seconds
        return total

    @property
    def machines(self) -> list[str]:
        """Ids of all machines that took part."""
        return sorted({machine for note in self._notes.values() for machine in note.machines})

    def clear(self) -> None:
        """Remove the notes, when records say what they said."""
        for path in (self._run_dir / FOLDER).glob(f"{self.stem}-*"):
            path.unlink()


def clear_others(run_dir: Path, current: Sequence[Shards]) -> None:
    """Remove notes of what no longer can be continued, and the folder if nothing is left in it."""
    folder = run_dir / FOLDER
    if folder.is_dir():
        stems = {shards.stem for shards in current}
        for path in folder.iterdir():
            if path.suffix != ".json" or path.stem.rpartition("-")[0] not in stems:
                path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()


def _gap(frame: pd.DataFrame) -> str:
    """Which value is no finite number; empty if all are."""
    gaps = frame[~np.isfinite(frame["value"].to_numpy(float))]
    if gaps.empty:
        return ""
    row = gaps.iloc[0]
    where = f"{row['metric']}, {row['region']}" if row["region"] else row["metric"]
    return f"picture {row['image']}: {where} is {row['value']}, which is no finite number"
