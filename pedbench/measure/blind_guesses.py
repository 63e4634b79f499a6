"""Guesses of attacks that received nothing, to which scores relate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.base import Metric
from pedbench.errors import plugin_line
from pedbench.host.determinism import single_threaded
from pedbench.measure.bench import Bench
from pedbench.measure.guesses import (
    guesses_it,
    seed_of,
)
from pedbench.measure.views import Reception
from pedbench.privacy.scoring import score_blind
from pedbench.suites.plan import Planned
from pedbench.types import Picture, View


def guess_blind(
    bench: Bench, attacked: Sequence[Reception], needed: Mapping[str, Planned]
) -> tuple[dict[str, dict[int, Picture]], dict[str, AttackFailure]]:
    """Return guesses made from an empty view by attacks that need none, and failures.

    Returns:
        By attack and place of the picture.
    """
    views = [
        view_to_bytes(View(frame_size=(item.frame.shape[0], item.frame.shape[1]), prior=bench.prior))
        for item in attacked
    ]
    jobs = {}
    for label, planned in needed.items():
        places = [place for place, item in enumerate(attacked) if guesses_it(bench, planned, item)]
        if "nothing" in planned.plugin.needs and places:
            seeds = [seed_of(bench, planned, attacked[place], label) for place in places]
            jobs[label] = places, bench.pool.submit(planned.spec, [views[place] for place in places], seeds)
    found: dict[str, dict[int, Picture]] = {}
    failures: dict[str, AttackFailure] = {}
    for label, (places, job) in jobs.items():
        try:
            found[label] = dict(zip(places, job.result().pictures, strict=True))
        except AttackFailure as error:
            failures[label] = error
    return found, failures


def measure_floors(bench: Bench, attacked: Sequence[Reception]) -> dict[str, AttackFailure]:
    """Measure how near the best floor comes without any view: once per picture and run."""
    new = [item for item in attacked if item.sample.id not in bench.blind]
    if not new:
        return {}
    found, failures = guess_blind(bench, new, {planned.label: planned for planned in bench.plan.floors})
    if failures:
        return failures

    def nearest(place: int) -> dict[str, float]:
        guesses = {label: pictures[place] for label, pictures in found.items()}
        return score_blind(
            new[place].frame, guesses, bench.plan.metrics, lambda metric: naming(metric, new[place])
        )

    with single_threaded() as threads:
        for item, distances in zip(new, threads.map(nearest, range(len(new))), strict=True):
            bench.blind[item.sample.id] = distances
    return {}


@contextmanager
def naming(metric: Metric, item: Reception) -> Iterator[None]:
    """Say which metric it was that raised, and for which picture."""
    try:
        yield
    except Exception as error:
        cause = f"{type(error).__name__}: {error}{plugin_line(error)}"
        reason = f"metric {metric.name}, picture {item.sample.id}: {cause}"
        raise RuntimeError(reason) from error
