"""A run: plan, measure each defense, turn values into records, write the report."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from pedbench.attack_pool import AttackPool
from pedbench.cell import Cell
from pedbench.console import Console
from pedbench.exhibits import write_exhibit
from pedbench.measure.bench import Bench, Outcome
from pedbench.measure.defense import measure
from pedbench.measure.latency import time_links, time_turns, warm_up
from pedbench.measure.modules import operation_modules
from pedbench.measure.reader import Reader
from pedbench.measure.record import make_record
from pedbench.measure.sources import changed
from pedbench.models.embedding import load_embedder
from pedbench.models.family import FamilyNetworks, family
from pedbench.offload.virtual import VirtualServers
from pedbench.plan import DefensePlan, Plan, keep_apart, make_plan
from pedbench.prior import load_prior
from pedbench.profiling import Profile
from pedbench.provenance import cores
from pedbench.reading import FileDataset
from pedbench.records import PLAN, append_record, read_records, write_plan
from pedbench.registry import PluginError, Registry
from pedbench.report.writing import write_report
from pedbench.retrieval import make_gallery
from pedbench.selection import Selection, read_selection, write_selection
from pedbench.suite import ResolvedSuite
from pedbench.types import Sample
from pedbench.values import DEFAULTS, remove_values, write_values

SHARD = 8
"""Pictures whose passes are run, and whose views are then attacked, at a time: what bounds the memory."""

DEVICE = "cpu"


def run(
    suite: ResolvedSuite, run_dir: Path, console: Console, plugins: Sequence[Path], profile: Profile
) -> None:
    """Run what is missing of a suite in its run directory, and write the report.

    A cell that fails is recorded as failed; the others are finished.

    Args:
        suite: What to run.
        run_dir: Where values, records and the report go; nobody else writes there.
        console: Told of progress and of failures.
        plugins: Files and folders with further plugins.
        profile: Stopwatches, which have begun; the run directory gets their table.

    Raises:
        PluginError: A plugin is unknown or broken.
        DatasetError: The dataset cannot be read.
        CheckpointError: Weights are missing.
    """
    registry = Registry(plugins)
    with console.stage("reading the dataset and the weights"), profile.stage("dataset and weights"):
        plan = make_plan(suite, registry, family(suite.model, suite.weights or {}))
        runs = [run_dir, *(each for each in run_dir.parent.iterdir() if (each / PLAN).is_file())]
        keep_apart(plan.attacks, runs, "a run keeps pictures that its report shows")
        networks = FamilyNetworks(family=plan.family, device=DEVICE)
        networks.network("original")
    for id, reason in plan.dataset.left_out.items():
        console.line(f"left out: {id}: {reason}")
    # What a killed run was just writing; the lock keeps others away.
    for partial in (run_dir / "values").glob("*.partial"):
        partial.unlink()
    write_plan(run_dir, [cell.cell_id for cell in plan.cells()])
    missing = _missing(run_dir, plan, console)
    due = [(defense, {cell.cell_id for cell in defense.cells()} & missing) for defense in plan.defenses]
    due = [(defense, wanted) for defense, wanted in due if wanted]
    _note_pictures(run_dir, plan)
    if due:
        with open_bench(plan, networks, [defense for defense, _ in due], console, profile) as bench:
            for defense, wanted in due:
                _run_defense(bench, defense, wanted, run_dir, console)
        _note_pictures(run_dir, plan)
    with profile.stage("report"):
        write_report(run_dir)
    profile.write(run_dir)


def _note_pictures(run_dir: Path, plan: Plan) -> None:
    """Write down the selection, and what is known by now to be wrong with the dataset."""
    images = [plan.dataset.ids()[index] for index in plan.selection]
    before = read_selection(run_dir)
    # A run that is continued reads only the samples that it still needs.
    known = before.defects if before is not None and list(before.images) == images else {}
    dataset = plan.dataset
    defects = {**known, **(dataset.defects if isinstance(dataset, FileDataset) else {})}
    write_selection(run_dir, Selection(images=images, left_out=dict(plan.dataset.left_out), defects=defects))


def _missing(run_dir: Path, plan: Plan, console: Console) -> set[str]:
    """Ids of the cells without a final record of the code as it is; what failed or was invalid is tried again."""
    try:
        records = read_records(run_dir)
    except FileNotFoundError:
        records = {}
    final = {cell_id for cell_id, record in records.items() if record.status in ("ok", "skipped")}
    for name, cells in changed(plan, records).items():
        console.line(f"{name} has changed: {len(cells)} cells are measured again")
        final -= cells
    return {cell.cell_id for cell in plan.cells()} - final


@contextmanager
def open_bench(
    plan: Plan,
    networks: FamilyNetworks,
    due: Sequence[DefensePlan],
    console: Console,
    profile: Profile,
) -> Iterator[Bench]:
    """Servers, attack processes, metrics and probes for some of a plan's defenses, until the block is left.

    Raises:
        PluginError: A metric or probe cannot be prepared.
    """
    count = max(defense.defense.servers for defense in due)
    for metric in plan.metrics:
        try:
            metric.prepare(DEVICE)
        # Code of a plugin; without it no cell of the run would be what the suite asks for.
        except Exception as error:
            raise PluginError(f"metric {metric.name} cannot be prepared: {error}") from error
    readers = {}
    for planned in plan.probes:
        try:
            readers[planned.plugin.label] = Reader(planned.plugin, DEVICE)
        except Exception as error:
            raise PluginError(f"probe {planned.plugin.name} cannot be prepared: {error}") from error
    modules = sorted({module for item in due for module in operation_modules(item)})
    specs = [planned.spec for planned in plan.attacks]
    weights = [*(file for planned in plan.attacks for file in planned.plugin.files), *plan.family.files()]
    with ExitStack() as resources:
        with console.stage(f"starting {count} servers"), profile.stage("starting servers"):
            pool = resources.enter_context(
                AttackPool(specs, workers=cores(), threads=1, readable=weights, deadline=plan.suite.deadline)
            )
            loading = pool.prepare()
            servers = resources.enter_context(VirtualServers(count, networks, modules=modules))
            # What is timed has the machine for itself.
            wait(loading)
        bench = Bench(
            plan=plan,
            networks=networks,
            servers=servers,
            pool=pool,
            prior=load_prior(),
            readers=readers,
            profile=profile,
        )
        if plan.gallery is not None and plan.suite.gallery is not None:
            count = len(plan.gallery.ids()[: plan.suite.gallery.limit])
            with console.stage(f"reading a gallery of {count} pictures"), profile.stage("gallery"):
                samples = (plan.gallery[index] for index in range(count))
                frames = ((sample.id, bench.frame(sample)) for sample in samples)
                model = plan.suite.gallery.model
                bench.gallery = make_gallery(frames, load_embedder(model, DEVICE) if model else None)
        yield bench


def _run_defense(
    bench: Bench, of: DefensePlan, wanted: Collection[str], run_dir: Path, console: Console
) -> None:
    """Measure one defense, shard by shard; values are written as they come, records at the end."""
    plan = bench.plan
    cells = [cell for cell in of.cells() if cell.cell_id in wanted]
    for cell in cells:
        remove_values(run_dir, cell.cell_id)
    total = Outcome()
    if unnamed := plan.family.unnamed(of.defense.networks):
        total.spoil(cells, "skipped", unnamed)
        _record(bench, of, cells, total, run_dir, console)
        return
    with console.stage(of.defense.label, total=len(of.images)) as advance:
        with total.giving_up(cells, "warming up"), bench.profile.stage("warming up"):
            of.defense.prepare(DEVICE)
            bench.restore_servers()
            warm_up_bench(bench, of)
        shards = [of.images[i : i + SHARD] for i in range(0, len(of.images), SHARD)]
        for number, images in enumerate(shards):
            still = {cell.cell_id for cell in cells} - set(total.problems)
            if still:
                outcome = measure(bench, of, images, still, advance)
                with bench.profile.stage("writing"):
                    _absorb(total, outcome, run_dir, number)
        timed = {cell.cell_id for _, cell in of.latency} & set(wanted) - set(total.problems)
        images = of.images[: plan.suite.latency.samples]
        if timed and of.defense.servers:
            # The scored passes went over the first link.
            others = [(link, cell) for link, cell in of.latency[1:] if cell.cell_id in timed]
            with bench.profile.stage("further links"):
                _absorb(total, time_links(bench, of, images, others), run_dir, len(shards))
            if plan.suite.latency.turn_taking:
                timed -= set(total.problems)
                with bench.profile.stage("taking turns"):
                    outcome = time_turns(bench, of, images, timed, threads=cores())
                    _absorb(total, outcome, run_dir, len(shards) + 1)
    _record(bench, of, cells, total, run_dir, console)


def _record(
    bench: Bench, of: DefensePlan, cells: Sequence[Cell], total: Outcome, run_dir: Path, console: Console
) -> None:
    for cell in cells:
        with bench.profile.stage("records"):
            record = make_record(bench.plan, of, cell, total, run_dir, DEVICE)
            append_record(run_dir, record)
        if record.status in ("failed", "invalid"):
            console.line(f"{of.defense.label}, {cell.kind}: {record.status}: {record.reason}")


def warm_up_bench(bench: Bench, of: DefensePlan) -> None:
    """Load and run everything that the defense uses, on pictures outside the selection; their times are dropped."""
    servers = max(1, of.defense.servers)
    bench.servers.set_mode(turns=False, threads=max(1, cores() // servers))
    pictures = bench.prior.pictures[: bench.plan.suite.latency.warmup]
    for number, picture in enumerate(pictures):
        warm_up(bench, of, Sample(id=f"warm-up {number}", image=picture))


def _absorb(total: Outcome, outcome: Outcome, run_dir: Path, shard: int) -> None:
    """Write the values of a shard and note everything else; a value that is not finite ends its cell."""
    frames = {
        cell_id: pd.DataFrame([DEFAULTS | row for row in rows])
        for cell_id, rows in outcome.rows.items()
        if rows
    }
    for cell_id, frame in frames.items():
        gaps = frame[~np.isfinite(frame["value"].to_numpy(float))]
        if not gaps.empty:
            row = gaps.iloc[0]
            where = f"{row['metric']}, {row['region']}" if row["region"] else row["metric"]
            reason = f"picture {row['image']}: {where} is {row['value']}, which is no finite number"
            outcome.problems.setdefault(cell_id, ("invalid", reason))
    for cell_id, problem in outcome.problems.items():
        total.problems.setdefault(cell_id, problem)
        remove_values(run_dir, cell_id)
    for cell_id, flags in outcome.flags.items():
        total.flags[cell_id] |= flags
    total.unfit.update(outcome.unfit)
    for label, guesses in outcome.guesses.items():
        total.guesses[label] += guesses
    for exhibit in outcome.exhibits:
        write_exhibit(run_dir, exhibit)
    for cell_id, frame in frames.items():
        if cell_id not in total.problems:
            write_values(run_dir, cell_id, shard, frame)
