"""A run: plan, measure each defense, turn values into records, write the report."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd

from pedbench.attack_pool import AttackPool
from pedbench.cell import Cell
from pedbench.console import Console
from pedbench.measure.bench import Bench, Outcome
from pedbench.measure.defense import measure
from pedbench.measure.latency import time_turns, warm_up
from pedbench.models.family import FamilyNetworks, family
from pedbench.offload.operations import defined_in
from pedbench.offload.virtual import VirtualServers
from pedbench.plan import DefensePlan, Plan, make_plan
from pedbench.prior import load_prior
from pedbench.provenance import cores, provenance
from pedbench.records import MetricValue, Record, append_record, read_records, write_plan
from pedbench.registry import Registry, source_hash
from pedbench.report.markdown import write_report
from pedbench.suite import ResolvedSuite
from pedbench.summary import geometry_metrics, latency_metrics, privacy_metrics, utility_metrics
from pedbench.types import Sample, Status
from pedbench.values import DEFAULTS, read_values, remove_values, write_values

SHARD = 8
"""Pictures whose passes are run, and whose views are then attacked, at a time: what bounds the memory."""

DEVICE = "cpu"

FEW_PICTURES, FEW_SAMPLES = 100, 20
"""Below these a record is flagged."""


def run(suite: ResolvedSuite, run_dir: Path, console: Console, plugins: Sequence[Path]) -> None:
    """Run what is missing of a suite in its run directory, and write the report.

    A cell that fails is recorded as failed; the others are finished.

    Args:
        suite: What to run.
        run_dir: Where values, records and the report go; nobody else writes there.
        console: Told of progress and of failures.
        plugins: Files and folders with further plugins.

    Raises:
        PluginError: A plugin is unknown or broken.
        DatasetError: The dataset cannot be read.
        CheckpointError: Weights are missing.
    """
    registry = Registry(plugins)
    with console.stage("reading the dataset and the weights"):
        plan = make_plan(suite, registry, family(suite.model))
    for id, reason in plan.dataset.left_out.items():
        console.line(f"left out: {id}: {reason}")
    write_plan(run_dir, plan.cells())
    missing = _missing(run_dir, plan.cells())
    if missing:
        with _bench(plan, console) as bench:
            for defense in plan.defenses:
                wanted = {cell.cell_id for cell in defense.cells()} & missing
                if wanted:
                    _run_defense(bench, defense, wanted, run_dir, console)
    write_report(run_dir)


def _missing(run_dir: Path, cells: Sequence[Cell]) -> set[str]:
    """Ids of the cells without a final record; what failed or was invalid is tried again."""
    try:
        records = read_records(run_dir)
    except FileNotFoundError:
        records = {}
    final = {cell_id for cell_id, record in records.items() if record.status in ("ok", "skipped")}
    return {cell.cell_id for cell in cells} - final


@contextmanager
def _bench(plan: Plan, console: Console) -> Iterator[Bench]:
    count = max(defense.defense.servers for defense in plan.defenses)
    networks = FamilyNetworks(family=plan.family, device=DEVICE)
    for metric in plan.metrics:
        metric.prepare(DEVICE)
    for defense in plan.defenses:
        defense.defense.prepare(DEVICE)
    modules = sorted({type(item.defense).__module__ for item in plan.defenses if _brings_operations(item)})
    specs = [planned.spec for planned in plan.attacks]
    with ExitStack() as resources:
        with console.stage(f"starting {count} servers"):
            servers = resources.enter_context(VirtualServers(count, networks, modules=modules))
            pool = resources.enter_context(AttackPool(specs, workers=cores(), threads=1))
        yield Bench(plan=plan, networks=networks, servers=servers, pool=pool, prior=load_prior())


def _brings_operations(item: DefensePlan) -> bool:
    return bool(defined_in(type(item.defense).__module__))


def _run_defense(
    bench: Bench, of: DefensePlan, wanted: Collection[str], run_dir: Path, console: Console
) -> None:
    """Measure one defense, shard by shard; values are written as they come, records at the end."""
    plan = bench.plan
    bench.servers.restart_lost()
    for cell_id in wanted:
        remove_values(run_dir, cell_id)
    with console.stage(of.defense.label, total=len(plan.selection)) as advance:
        total = Outcome()
        shards = [plan.selection[i : i + SHARD] for i in range(0, len(plan.selection), SHARD)]
        _warm_up(bench, of)
        for number, images in enumerate(shards):
            still = set(wanted) - set(total.problems)
            if still:
                _absorb(total, measure(bench, of, images, still, advance), run_dir, number)
        latency = plan.suite.latency
        timed = of.latency is not None and of.latency.cell_id in set(wanted) - set(total.problems)
        if timed and latency.turn_taking and of.defense.servers:
            images = plan.selection[: latency.samples]
            _absorb(total, time_turns(bench, of, images, threads=cores()), run_dir, len(shards))
    for cell in of.cells():
        if cell.cell_id in wanted:
            record = _record(bench, of, cell, total, run_dir)
            append_record(run_dir, record)
            if record.status in ("failed", "invalid"):
                console.line(f"{of.defense.label}, {cell.kind}: {record.status}: {record.reason}")


def _warm_up(bench: Bench, of: DefensePlan) -> None:
    """Load and run everything that the defense uses, on pictures outside the selection; their times are dropped."""
    servers = max(1, of.defense.servers)
    bench.servers.set_mode(turns=False, threads=max(1, cores() // servers))
    pictures = bench.prior.pictures[: bench.plan.suite.latency.warmup]
    for number, picture in enumerate(pictures):
        warm_up(bench, of, Sample(id=f"warm-up {number}", image=picture))


def _absorb(total: Outcome, outcome: Outcome, run_dir: Path, shard: int) -> None:
    for cell_id, problem in outcome.problems.items():
        total.problems.setdefault(cell_id, problem)
        remove_values(run_dir, cell_id)
    for cell_id, flags in outcome.flags.items():
        total.flags[cell_id] |= flags
    for stage, seconds in outcome.seconds.items():
        total.seconds[stage] += seconds
    for cell_id, rows in outcome.rows.items():
        if rows and cell_id not in total.problems:
            frame = pd.DataFrame([DEFAULTS | row for row in rows])
            write_values(run_dir, cell_id, shard, frame)


def _record(bench: Bench, of: DefensePlan, cell: Cell, total: Outcome, run_dir: Path) -> Record:
    values = read_values(run_dir, cell.cell_id)
    status: Status
    status, reason = total.problems.get(cell.cell_id, ("ok", ""))
    metrics: tuple[MetricValue, ...] = ()
    flags = set(total.flags[cell.cell_id])
    if status == "ok" and values.empty:
        status, reason = "skipped", "the selected pictures give this cell no value"
    if status == "ok":
        metrics = _metrics(bench.plan, cell, values)
        flags |= _flags(bench.plan, of, cell, values)
    plugins = [of.planned, *(planned for planned, each in of.privacy if each == cell)]
    return Record(
        cell_id=cell.cell_id,
        cell=cell.as_dict(),
        status=status,
        reason=reason,
        metrics=metrics,
        flags=tuple(sorted(flags)),
        timing={stage: round(seconds, 3) for stage, seconds in total.seconds.items()},
        provenance=provenance(
            run_id=run_dir.name,
            device=DEVICE,
            sources={planned.plugin.name: source_hash(type(planned.plugin)) for planned in plugins},
            weights=bench.plan.weights,
        ),
    )


def _metrics(plan: Plan, cell: Cell, values: pd.DataFrame) -> tuple[MetricValue, ...]:
    if cell.kind == "utility":
        return utility_metrics(values)
    if cell.kind == "latency":
        return latency_metrics(values)
    if cell.attack is None:
        return geometry_metrics(values)
    return privacy_metrics(values, {metric.column: metric for metric in plan.metrics})


def _flags(plan: Plan, of: DefensePlan, cell: Cell, values: pd.DataFrame) -> set[str]:
    pictures = values["image"].nunique()
    flags = set()
    if cell.kind == "latency":
        if pictures < FEW_SAMPLES:
            flags.add("few samples")
    elif pictures < FEW_PICTURES:
        flags.add("few pictures")
    if cell.kind == "utility" and of.defense.undefended:
        flags.add("reference")
    if cell.attack is not None and of.defense.randomised and cell.requests == 1:
        flags.add("randomised defense attacked once")
    return flags
