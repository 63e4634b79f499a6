"""A run: plan, let an engine measure, turn values into records, write the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pedbench.data.readable import FileDataset
from pedbench.engines.job_times import note_time
from pedbench.engines.jobs import Done, Engine, Job, Work, jobs_of
from pedbench.engines.local import Local
from pedbench.engines.unfinished import Shards, clear_others, fingerprint
from pedbench.host.console import Console
from pedbench.host.device import choose_dtype
from pedbench.host.stopwatch import Profile
from pedbench.measure.code_identity import changed
from pedbench.measure.outcome import Outcome
from pedbench.measure.record import make_record
from pedbench.models.sam.family import family
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.registry import Registry
from pedbench.report.outputs.writing import write_report
from pedbench.results.records import PLAN, Record, append_record, read_records, write_plan
from pedbench.results.run import Run, load
from pedbench.results.selection import Selection, read_selection, write_selection
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DTYPE, DefensePlan, Plan
from pedbench.suites.planning import keep_apart, make_plan
from pedbench.suites.schema import ResolvedSuite

UNTIMED = "not timed: workers share their machines with each other. Run the suite again with --engine local"
"""Why an engine that cannot time leaves latency cells alone; one that can measures them when the run is continued."""


def run(
    suite: ResolvedSuite,
    run_dir: Path,
    console: Console,
    plugins: Sequence[Path],
    profile: Profile,
    engine: Engine | None = None,
) -> Run:
    """Run what is missing of a suite in its run directory, write the report and return the finished run.

    A cell that fails is recorded as failed; the others are finished.

    Args:
        suite: What to run.
        run_dir: Where values, records and the report go; nobody else writes there.
        console: Told of progress and of failures.
        plugins: Files and folders with further plugins.
        profile: Stopwatches, which have begun; the run directory gets their table.
        engine: Does the work; this process without one.

    Raises:
        PluginError: A plugin is unknown or broken.
        DatasetError: The dataset cannot be read.
        CheckpointError: Weights are missing.
        EngineError: The engine cannot be had.
    """
    engine = engine or Local()
    registry = Registry(plugins)
    with console.stage("reading the dataset and the weights"), profile.stage("dataset and weights"):
        plan = make_plan(suite, registry, family(suite.model, suite.weights or {}))
        runs = [run_dir, *(each for each in run_dir.parent.iterdir() if (each / PLAN).is_file())]
        keep_apart(plan.attacks, runs, "a run keeps pictures that its report shows")
        # Workers elsewhere load their own.
        networks = FamilyNetworks(
            family=plan.family,
            device=engine.device if engine.times else "cpu",
            dtype=choose_dtype(suite.latency.dtype or DTYPE),
        )
        networks.network("original")
    for id, reason in plan.dataset.left_out.items():
        console.line(f"left out: {id}: {reason}")
    # What a killed run was just writing; the lock keeps others away.
    for partial in (run_dir / "values").glob("*.partial"):
        partial.unlink()
    write_plan(run_dir, [cell.cell_id for cell in plan.cells()])
    _note_pictures(run_dir, plan, {})
    due = dict(_due(plan, run_dir, engine, console, profile))
    clear_others(run_dir, [each.shards for each in due.values()])
    for each in due.values():
        each.record_if_done()
    jobs = [job for each in due.values() for job in each.jobs]
    if jobs:
        work = Work(
            suite=suite,
            plugins=plugins,
            plan=plan,
            networks=networks,
            jobs=jobs,
            left=lambda job: due[job.defense].shards.left(job),
            console=console,
            profile=profile,
        )
        defects: dict[str, str] = {}
        with closing(engine.do(work)) as outcomes:
            for done in outcomes:
                due[done.job.defense].absorb(done)
                defects |= done.defects
        _note_pictures(run_dir, plan, defects)
    clear_others(run_dir, [])
    with profile.stage("report"):
        finished = load(run_dir)
        write_report(finished)
    profile.write(run_dir)
    return finished


def _note_pictures(run_dir: Path, plan: Plan, found: Mapping[str, str]) -> None:
    """Write down the selection, and what is known by now to be wrong with the dataset."""
    images = [plan.dataset.ids()[index] for index in plan.selection]
    before = read_selection(run_dir)
    # A run that is continued reads only the samples that it still needs.
    known = before.defects if before is not None and list(before.images) == images else {}
    dataset = plan.dataset
    defects = {**known, **(dataset.defects if isinstance(dataset, FileDataset) else {}), **found}
    write_selection(run_dir, Selection(images=images, left_out=dict(plan.dataset.left_out), defects=defects))


def _due(
    plan: Plan, run_dir: Path, engine: Engine, console: Console, profile: Profile
) -> Iterator[tuple[int, _Due]]:
    """The defenses with cells that lack a final record of the code as it is; by their place in the plan."""
    try:
        records = read_records(run_dir)
    except FileNotFoundError:
        records = {}
    final = {cell_id for cell_id, record in records.items() if _final(record, engine)}
    for name, others in changed(plan, records).items():
        console.line(f"{name} has changed: {len(others)} cells are measured again")
        final -= others
    code = fingerprint(plan)
    for number, of in enumerate(plan.defenses):
        cells = [cell for cell in of.cells() if cell.cell_id not in final]
        if not cells:
            continue
        known = Outcome()
        if unnamed := plan.family.unnamed(of.defense.networks):
            known.spoil(cells, "skipped", unnamed)
        if not engine.times:
            known.spoil([cell for cell in cells if cell.kind == "latency"], "skipped", UNTIMED)
        shards = Shards(of, run_dir, code)
        wanted = {cell.cell_id for cell in cells} - set(known.problems)
        jobs = shards.begin(jobs_of(plan, number, wanted), afresh=wanted & set(records))
        yield (
            number,
            _Due(
                plan=plan,
                of=of,
                cells=cells,
                shards=shards,
                jobs=jobs,
                known=known,
                run_dir=run_dir,
                engine=engine,
                console=console,
                profile=profile,
                left=len(jobs),
            ),
        )


def _final(record: Record, engine: Engine) -> bool:
    if record.status == "skipped" and record.reason == UNTIMED:
        return not engine.times
    return record.status in ("ok", "skipped")


@dataclass(kw_only=True)
class _Due:
    """A defense, cells of which are to be recorded.

    Attributes:
        jobs: What is to be done before.
        left: How many of them are not done.
        known: What is known of cells before anything is measured.
    """

    plan: Plan
    of: DefensePlan
    cells: list[Cell]
    shards: Shards
    jobs: list[Job]
    left: int
    known: Outcome
    run_dir: Path
    engine: Engine
    console: Console
    profile: Profile

    def absorb(self, done: Done) -> None:
        """Write what came of a job; after the last one, the records."""
        with self.profile.stage("writing"):
            self.shards.absorb(done)
            if done.asked:
                note_time(self.run_dir, self.of.defense.label, done)
        self.left -= 1
        self.record_if_done()

    def record_if_done(self) -> None:
        """Write the records if no job is left."""
        if self.left:
            return
        total = self.shards.total()
        total.problems |= self.known.problems
        for cell in self.cells:
            with self.profile.stage("records"):
                record = make_record(
                    self.plan,
                    self.of,
                    cell,
                    total,
                    self.run_dir,
                    device=self.engine.device,
                    engine=self.engine.name,
                    machines=self.shards.machines,
                    servers=self.engine.servers,
                )
                append_record(self.run_dir, record)
            if record.status in ("failed", "invalid"):
                self.console.line(f"{self.of.defense.label}, {cell.kind}: {record.status}: {record.reason}")
        self.shards.clear()
