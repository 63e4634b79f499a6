"""`pedbench plan`: what a suite consists of, what it costs here, and what sharding over workers gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pedbench.suites.plan import Plan

WORKERS = (1, 2, 4, 8)


def plan_suite(
    suite: Annotated[str | None, typer.Argument(help="A suite's name or the path of a suite file.")] = None,
    named: Annotated[str | None, typer.Option("--suite", help="The same as the argument.")] = None,
    model: Annotated[str | None, typer.Option(help="Another model family than the suite's.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the dataset lies.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first pictures.")] = None,
    weights: Annotated[list[str] | None, typer.Option(help="NAME=FILE, as for `pedbench run`.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only the suite's part for a quick look.")] = False,
    like: Annotated[
        Path | None, typer.Option(help="A run's directory: its measured times are what jobs will take.")
    ] = None,
    workers: Annotated[
        list[int] | None,
        typer.Option("--workers", "--gpus", min=1, help="Over how many to shard; may be repeated."),
    ] = None,
) -> None:
    """Print a suite's cells and pictures, and its time and memory by a picture that is tried here.

    With --like also the cost by stage, and what sharding over workers gives.
    """
    from pedbench.cli.doctor_suite import cost
    from pedbench.cli.run import named_files
    from pedbench.models.sam.family import family
    from pedbench.registry import Registry
    from pedbench.suites.plan import make_plan
    from pedbench.suites.resolve import Overrides, resolve
    from pedbench.suites.schema import load_suite, quicker

    if suite and named and suite != named:
        raise ValueError(f"two suites were given, {suite!r} and {named!r}; one plan takes one.")
    registry = Registry()
    loaded = load_suite(suite or named or "mini")
    overrides = Overrides(model=model, data=data, limit=limit, weights=named_files(weights or ()))
    resolved = resolve(quicker(loaded) if quick else loaded, overrides, registry)
    of = family(resolved.model, resolved.weights or {})
    plan = make_plan(resolved, registry, of)
    kinds = Counter(_kind(cell.kind, cell.attack, cell.probe) for cell in plan.cells())
    print(
        f"{resolved.name}: {len(plan.selection)} pictures of {plan.dataset.name}, {len(plan.defenses)} defenses, "
        f"{len(plan.attacks)} attacks, {len(plan.probes)} probes\n"
        f"{sum(kinds.values())} cells: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}"
    )
    for finding in cost(resolved, of, registry, plan.dataset):
        print(f"{finding.what}: {finding.found}")
    if like is not None:
        print(_sharded(plan, like, tuple(workers or WORKERS)))
    elif workers:
        raise ValueError("--workers needs times of jobs: name a run of these defenses with --like RUN.")


def _kind(kind: str, attack: object, probe: object) -> str:
    if kind != "privacy":
        return f"of {kind}"
    return "of what probes read" if probe else "of attacks" if attack else "of what is received"


def _sharded(plan: Plan, like: Path, workers: tuple[int, ...]) -> str:
    """Where the time of a run went, and how long the plan's jobs take on so many workers like that run's."""
    from pedbench.engines.job_times import read_times
    from pedbench.engines.jobs import jobs_of
    from pedbench.engines.scaling_simulation import costs, makespan
    from pedbench.host.stopwatch import describe_profile, read_profile
    from pedbench.report.words.text import table

    profile = read_profile(like)
    cost = costs(read_times(like), profile)
    # Workers share their machines, so nothing is timed.
    jobs = [
        job
        for number, of in enumerate(plan.defenses)
        for job in jobs_of(plan, number, [cell.cell_id for cell in of.cells() if cell.kind != "latency"])
    ]
    found = {count: makespan(plan, jobs, cost, count) for count in workers}
    alone = makespan(plan, jobs, cost, 1)
    rows = [
        [str(count), f"{seconds:.0f}", f"{alone / seconds:.2f}", f"{alone / seconds / count:.0%}"]
        for count, seconds in found.items()
    ]
    return (
        f"\nwhere the time of {like.resolve().name} went:\n{describe_profile(profile)}\n\n"
        f"{len(jobs)} shards by its jobs' times, handed out to workers like its own, latency left out:\n"
        + table(["workers", "seconds", "times as fast", "efficiency"], rows, left=0)
    )
