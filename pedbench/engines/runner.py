"""Run a suite: plan, measure with an engine, turn values into records, and write the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from pedbench.data.readable import FileDataset
from pedbench.engines.jobs import Done, Engine, Job, Work, jobs_of
from pedbench.engines.local import Local
from pedbench.engines.time_left import TimeLeft, note_time, seconds_per_picture
from pedbench.engines.unfinished import Shards, clear_others, fingerprint
from pedbench.host.console import Console
from pedbench.host.device import choose_dtype
from pedbench.host.requirements import has_bench
from pedbench.host.stopwatch import Profile
from pedbench.measure.code_identity import changed
from pedbench.measure.outcome import Outcome
from pedbench.measure.record import make_record
from pedbench.models.sam.family import family
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.registry import Registry
from pedbench.results.glance import glance
from pedbench.results.records import PLAN, Record, append_record, read_records, write_plan
from pedbench.results.run import Run, load
from pedbench.results.selection import Selection, read_selection, write_selection
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DTYPE, DefensePlan, Plan
from pedbench.suites.planning import keep_apart, make_plan
from pedbench.suites.schema import ResolvedSuite
from pedbench.validity.flags import AUTHORED

UNTIMED = "not timed: workers share their machines with each other. Run the suite again with --engine local"
"""Reason of latency cells that an engine without timing skipped. A later run with a timing engine measures them."""


def run(
    suite: ResolvedSuite,
    run_dir: Path,
    console: Console,
    plugins: Sequence[Path],
    profile: Profile,
    engine: Engine | None = None,
) -> Run:
    """Run the missing cells of a suite, write the report and return the finished run.

    A cell that fails is recorded as failed, and the others still run.

    Args:
        run_dir: Folder for values, records and the report; no other process may write there.
        console: Shows progress and failures.
        plugins: Files and folders with further plugins.
        profile: Running stopwatches, whose table is written into `run_dir`.
        engine: The engine that does the jobs; by default this process.

    Raises:
        PluginError: A plugin is unknown or broken.
        DatasetError: The dataset cannot be read.
        CheckpointError: Weights are missing.
        EngineError: The engine cannot do the jobs.
    """
    engine = engine or Local()
    registry = Registry(plugins)
    with console.stage("reading the dataset and the weights"), profile.stage("dataset and weights"):
        plan = make_plan(suite, registry, family(suite.model, suite.weights or {}))
        runs = (run_dir, *(each for each in run_dir.parent.iterdir() if (each / PLAN).is_file()))
        plan = replace(plan, runs=runs)
        keep_apart(plan.attacks, runs, "a run keeps pictures that its report shows")
        # Workers of other engines load their own networks.
        networks = FamilyNetworks(
            family=plan.family,
            device=engine.device if engine.times else "cpu",
            dtype=choose_dtype(suite.latency.dtype or DTYPE),
        )
        networks.network("original")
    for id, reason in plan.dataset.left_out.items():
        console.line(f"left out: {id}: {reason}")
    if isinstance(plan.dataset, FileDataset) and plan.dataset.counts.lost:
        console.line(f"{plan.dataset.counts}.")
    # A killed run can leave partial files; the caller's lock keeps other runs away.
    for partial in (run_dir / "values").glob("*.partial"):
        partial.unlink()
    write_plan(run_dir, [cell.cell_id for cell in plan.cells()])
    _note_pictures(run_dir, plan, {})
    pending = dict(_pending_defenses(plan, run_dir, engine, console, profile))
    clear_others(run_dir, [each.shards for each in pending.values()])
    for each in pending.values():
        each.record_if_done()
    jobs = [job for each in pending.values() for job in each.jobs]
    if jobs:
        left = TimeLeft(plan, jobs, seconds_per_picture(runs[::-1], suite))
        work = Work(
            suite=suite,
            plugins=plugins,
            plan=plan,
            networks=networks,
            jobs=jobs,
            remaining=lambda job: pending[job.defense].shards.remaining(job),
            console=console,
            profile=profile,
        )
        defects: dict[str, str] = {}
        labels = [each.label for each in pending.values()]
        with console.board(labels) as board, closing(engine.do(work)) as outcomes:
            for done in outcomes:
                board.expect(left.after(done))
                if records := pending[done.job.defense].absorb(done):
                    board.fill(pending[done.job.defense].label, glance(records))
                defects |= done.defects
        _note_pictures(run_dir, plan, defects)
    clear_others(run_dir, [])
    with profile.stage("report"):
        finished = load(run_dir)
        if has_bench():
            from pedbench.report.outputs.writing import write_report

            write_report(finished, console=console)
    profile.write(run_dir)
    return finished


def _note_pictures(run_dir: Path, plan: Plan, found: Mapping[str, str]) -> None:
    """Write the selection of pictures with all defects of the dataset that are known so far."""
    images = [plan.dataset.ids()[index] for index in plan.selection]
    earlier = read_selection(run_dir)
    # A continued run reads only some samples, so it keeps the defects that earlier runs found.
    known = earlier.defects if earlier is not None and list(earlier.images) == images else {}
    dataset = plan.dataset
    defects = {**known, **(dataset.defects if isinstance(dataset, FileDataset) else {}), **found}
    write_selection(run_dir, Selection(images=images, left_out=dict(plan.dataset.left_out), defects=defects))


def _pending_defenses(
    plan: Plan, run_dir: Path, engine: Engine, console: Console, profile: Profile
) -> Iterator[tuple[int, _PendingDefense]]:
    """Yield index and open work of each defense with cells that have no final record by the current code."""
    try:
        records = read_records(run_dir)
    except FileNotFoundError:
        records = {}
    final = {cell_id for cell_id, record in records.items() if _final(record, engine)}
    for name, others in changed(plan, records).items():
        console.line(f"{name} has changed: {len(others)} cells are measured again")
        final -= others
    code = fingerprint(plan)
    for number, defense_plan in enumerate(plan.defenses):
        if not (cells := [cell for cell in defense_plan.cells() if cell.cell_id not in final]):
            continue
        known = Outcome()
        if unnamed := plan.family.unnamed(defense_plan.defense.networks):
            known.spoil(cells, "skipped", unnamed)
        if not engine.times:
            known.spoil([cell for cell in cells if cell.kind == "latency"], "skipped", UNTIMED)
        shards = Shards(defense_plan, run_dir, code)
        cell_ids = {cell.cell_id for cell in cells} - set(known.problems)
        jobs = shards.begin(jobs_of(plan, number, cell_ids), restart=cell_ids & set(records))
        yield (
            number,
            _PendingDefense(
                plan=plan,
                defense_plan=defense_plan,
                cells=cells,
                shards=shards,
                jobs=jobs,
                known=known,
                run_dir=run_dir,
                engine=engine,
                console=console,
                profile=profile,
                open_jobs=len(jobs),
            ),
        )


def _final(record: Record, engine: Engine) -> bool:
    return record.status in ("ok", "skipped") and not (record.reason == UNTIMED and engine.times)


@dataclass(kw_only=True)
class _PendingDefense:
    """A defense with cells to record.

    Attributes:
        cells: The cells to record.
        jobs: The jobs that must be done before.
        open_jobs: Number of jobs that are not done.
        known: Problems of cells that are known before anything is measured.
    """

    plan: Plan
    defense_plan: DefensePlan
    cells: list[Cell]
    shards: Shards
    jobs: list[Job]
    open_jobs: int
    known: Outcome
    run_dir: Path
    engine: Engine
    console: Console
    profile: Profile

    @property
    def label(self) -> str:
        """The defense as people see it."""
        return self.defense_plan.defense.label

    def absorb(self, done: Done) -> list[Record]:
        """Write the result of a job and, after the last job, the records; return these."""
        with self.profile.stage("writing"):
            self.shards.absorb(done)
            if done.cell_ids:
                note_time(self.run_dir, self.label, done)
        self.open_jobs -= 1
        return self.record_if_done()

    def record_if_done(self) -> list[Record]:
        """Write the records if all jobs are done, and return them."""
        if self.open_jobs:
            return []
        records = []
        total = self.shards.total()
        total.problems |= self.known.problems
        lost: dict[tuple[str, str], list[str]] = {}
        for cell in self.cells:
            with self.profile.stage("records"):
                record = make_record(
                    self.plan,
                    self.defense_plan,
                    cell,
                    total,
                    self.run_dir,
                    device=self.engine.device,
                    engine=self.engine.name,
                    machines=self.shards.machines,
                    servers=self.engine.servers,
                )
                append_record(self.run_dir, record)
            records.append(record)
            if record.status in ("failed", "invalid"):
                lost.setdefault((record.status, record.reason), []).append(cell.kind)
        for (status, reason), kinds in lost.items():
            count = f" ({len(kinds)} cells)" if kinds[1:] else ""
            self.console.line(f"{self.label}, {', '.join(dict.fromkeys(kinds))}{count}: {status}: {reason}")
        for reason in dict.fromkeys(total.distrust.values()):
            self.console.line(f"{self.label}: {AUTHORED}: {reason}")
        self.shards.clear()
        return records
