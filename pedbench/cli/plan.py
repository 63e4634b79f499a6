"""`pedbench plan`: count a suite's cells and predict its time and memory."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from pedbench.cli import options


def plan_suite(
    context: typer.Context,
    suite: options.SuiteArgument = None,
    named: options.SuiteOption = None,
    defense: options.Defenses = None,
    attack: options.Attacks = None,
    metric: options.Metrics = None,
    sweep: options.Sweeps = None,
    dataset: options.Dataset = None,
    model: options.Model = None,
    data: options.Data = None,
    limit: options.Limit = None,
    weights: options.Weights = None,
    settings: options.Settings = None,
    plugin: options.Plugins = None,
    quick: options.Quick = False,
    workers: Annotated[
        int, typer.Option(min=1, help="Number of workers like this machine; they share the time.")
    ] = 1,
    as_json: options.Json = False,
) -> None:
    """Count a suite's cells, and predict its time and memory.

    The prediction measures one picture on this machine.
    """
    from pedbench.cli.doctor_suite import cost, most_bytes
    from pedbench.cli.run import named_suite
    from pedbench.models.sam.family import family
    from pedbench.registry import Registry
    from pedbench.suites.cost import forecast
    from pedbench.suites.files import load_suite
    from pedbench.suites.planning import make_plan
    from pedbench.suites.quick import quicker
    from pedbench.suites.resolve import Overrides, resolve

    registry = Registry(plugin or ())
    loaded = load_suite(named_suite(suite, named))
    resolved = resolve(
        quicker(loaded) if quick else loaded, Overrides(**options.selection(context.params)), registry
    )
    models = family(resolved.model, resolved.weights or {})
    plan = make_plan(resolved, registry, models)
    kinds = Counter(_kind(cell.kind, cell.attack, cell.probe) for cell in plan.cells())
    predicted = forecast(resolved, models, registry, plan.dataset)
    if as_json:
        options.print_json(
            suite=resolved.name,
            version=resolved.version,
            dataset=plan.dataset.name,
            pictures=len(plan.selection),
            defenses=[part.defense.label for part in plan.defenses],
            attacks=len(plan.attacks),
            probes=len(plan.probes),
            cells={kind.removeprefix("of "): count for kind, count in kinds.items()},
            passes=predicted.passes,
            seconds=predicted.seconds / workers,
            memory_bytes=most_bytes(predicted),
        )
        return
    print(
        f"{resolved.name}: {len(plan.selection)} pictures of {plan.dataset.name}, {len(plan.defenses)} defenses, "
        f"{len(plan.attacks)} attacks, {len(plan.probes)} probes\n"
        f"{sum(kinds.values())} cells: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}"
    )
    for finding in cost(predicted, workers):
        print(f"{finding.subject}: {finding.found}")


def _kind(kind: str, attack: object, probe: object) -> str:
    if kind != "privacy":
        return f"of {kind}"
    return "of probes" if probe else "of attacks" if attack else "of received data"
