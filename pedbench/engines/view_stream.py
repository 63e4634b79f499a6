"""`pedbench.views`: the views that a run's attacks get, for authors of attacks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, overload

from pedbench.base import Dataset, Defense
from pedbench.engines.open_bench import open_bench, warm_up_bench
from pedbench.errors import AuditError
from pedbench.host.console import Console
from pedbench.host.stopwatch import Profile
from pedbench.measure.bench import Bench
from pedbench.measure.outcome import Outcome
from pedbench.measure.views import receive
from pedbench.models.sam.family import family
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.registry import Registry
from pedbench.registry.instances import check_given
from pedbench.suites.choices import DatasetChoice, DefenseChoice
from pedbench.suites.instances import choice_of, plugin_files
from pedbench.suites.planning import make_plan
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import CoalitionChoice, LatencyChoice, Suite
from pedbench.types import Picture, View


@overload
def views(
    defense: str | Defense,
    dataset: str | Dataset = "scenes",
    *,
    count: int | None = None,
    coalition: int | Literal["N"] = 1,
    seed: int = 0,
    with_truth: Literal[False] = False,
    model: str = "mini",
    plugins: Sequence[str | Path] = (),
) -> Iterator[View]: ...


@overload
def views(
    defense: str | Defense,
    dataset: str | Dataset = "scenes",
    *,
    count: int | None = None,
    coalition: int | Literal["N"] = 1,
    seed: int = 0,
    with_truth: Literal[True],
    model: str = "mini",
    plugins: Sequence[str | Path] = (),
) -> Iterator[tuple[View, Picture]]: ...


def views(
    defense: str | Defense,
    dataset: str | Dataset = "scenes",
    *,
    count: int | None = None,
    coalition: int | Literal["N"] = 1,
    seed: int = 0,
    with_truth: bool = False,
    model: str = "mini",
    plugins: Sequence[str | Path] = (),
) -> Iterator[View] | Iterator[tuple[View, Picture]]:
    """Yield the views that attacks of a run get of a defense's first requests, picture by picture.

    The defense runs when a view is asked for, with servers of this host, which stop when the iterator is exhausted or
    closed.

        view = next(pedbench.views("ped_sam(servers=5)"))
        training = pedbench.views(Mine(), "scenes(split=train)", count=2000, with_truth=True)

    Args:
        defense: A name, `name(parameter=value, ...)` or an instance, as in `pedbench.run`.
        dataset: The same for the dataset, whose pictures are taken in order.
        count: The most views; by default those of all pictures.
        coalition: How many servers pool what they received. A picture has one view for each coalition of that size
            that a run evaluates; "N" is all servers together.
        seed: The base seed, as a suite has it.
        with_truth: Whether to yield pairs of a view and its frame, (H, W, 3) float32 in [0, 1]: for training, on
            pictures that no run evaluates.
        model: The model family.
        plugins: Files and folders with further plugins.

    Raises:
        ValueError: A plugin, a parameter or the model is wrong.
        AuditError: The defense does other than it declares.
    """
    check_given("defenses", [defense])
    check_given("datasets", [dataset])
    found = _views(defense, dataset, coalition, seed, model, [Path(each).resolve() for each in plugins])
    if with_truth:
        return islice(found, count)
    return islice((view for view, _ in found), count)


def _views(
    defense: str | Defense,
    dataset: str | Dataset,
    coalition: int | Literal["N"],
    seed: int,
    model: str,
    paths: Sequence[Path],
) -> Iterator[tuple[View, Picture]]:
    instances = [each for each in (defense, dataset) if not isinstance(each, str)]
    suite = Suite(
        name="views",
        version=1,
        seed=seed,
        model=model,
        dataset=DatasetChoice(name="scenes"),
        defenses=[DefenseChoice(name="on_device")],
        attacks=[],
        metrics=[],
        coalitions=[CoalitionChoice(c=coalition)],
        latency=LatencyChoice(samples=1, warmup=1, turn_taking=False),
    )
    overrides = Overrides(defenses=[choice_of(defense)], dataset=choice_of(dataset))
    with tempfile.TemporaryDirectory(prefix="pedbench-plugins-") as folder:
        registry = Registry([*paths, *plugin_files(instances, Registry(paths), Path(folder))])
        resolved = resolve(suite, overrides, registry)
        models = family(resolved.model, resolved.weights or {})
        plan = make_plan(resolved, registry, models)
        networks = FamilyNetworks(family=models)
        with open_bench(plan, networks, plan.defenses, Console(), Profile()) as bench:
            yield from _received(bench)


def _received(bench: Bench) -> Iterator[tuple[View, Picture]]:
    (defense_plan,) = bench.plan.defenses
    private = [cell for cell in defense_plan.cells() if cell.kind == "privacy"]
    defense_plan.defense.prepare(bench.device)
    warm_up_bench(bench, defense_plan)
    for index in bench.plan.selection:
        sample = bench.plan.dataset[index]
        frame = bench.frame(sample)
        outcome = Outcome()
        done = bench.run(defense_plan, sample, frame)
        received = receive(bench, defense_plan, sample, [frame], [done], private, outcome)
        if received is None:
            raise AuditError("; ".join(sorted({reason for _, reason in outcome.problems.values()})))
        for view in received.views.values():
            yield view, frame
