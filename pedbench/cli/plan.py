"""`pedbench plan`: what a suite consists of, and what it costs here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer


def plan_suite(
    suite: Annotated[str | None, typer.Argument(help="A suite's name or the path of a suite file.")] = None,
    named: Annotated[str | None, typer.Option("--suite", help="The same as the argument.")] = None,
    model: Annotated[str | None, typer.Option(help="Another model family than the suite's.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the dataset lies.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first pictures.")] = None,
    weights: Annotated[list[str] | None, typer.Option(help="NAME=FILE, as for `pedbench run`.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only the suite's part for a quick look.")] = False,
    workers: Annotated[
        int, typer.Option(min=1, help="Workers like this machine, by which the time is divided.")
    ] = 1,
) -> None:
    """Print a suite's cells, and predict its time and memory.

    One picture is measured here for the prediction.
    """
    from pedbench.cli.doctor_suite import cost
    from pedbench.cli.run import named_files
    from pedbench.models.sam.family import family
    from pedbench.registry import Registry
    from pedbench.suites.files import load_suite
    from pedbench.suites.planning import make_plan
    from pedbench.suites.quick import quicker
    from pedbench.suites.resolve import Overrides, resolve

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
    for finding in cost(resolved, of, registry, plan.dataset, workers):
        print(f"{finding.what}: {finding.found}")


def _kind(kind: str, attack: object, probe: object) -> str:
    if kind != "privacy":
        return f"of {kind}"
    return "of what probes read" if probe else "of attacks" if attack else "of what is received"
