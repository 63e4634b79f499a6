"""Guesses that do not depend on the view, to which scores relate; each is measured once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

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
from pedbench.measure.seeds import generator
from pedbench.measure.views import Held, Reception
from pedbench.privacy.scoring import Around, Measured, measure, score_blind
from pedbench.suites.plan import Planned
from pedbench.types import Picture, Prior, View

MOST = 10_000
"""Guesses whose measurements are kept; other defenses ask for the same ones again."""


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


def measure_colours(
    bench: Bench, item: Reception, key: Held, attacks: Sequence[str], around: Around
) -> Measured:
    """Measure one random colour per attack: what choosing among many attacks gains by itself.

    A colour depends on the picture and the attack's label alone, as an attack's own chance does.
    """
    suite, dataset = bench.plan.suite, bench.plan.dataset
    pictures = {}
    for attack in attacks:
        rng = generator(suite.seed, dataset.name, item.sample.id, f"knows nothing: {attack}")
        pictures[attack] = np.broadcast_to(draw_colour(bench.prior, rng), item.frame.shape)
    return _once(bench, item, key, "knows nothing", pictures, around)


def measure_blind(
    bench: Bench, item: Reception, key: Held, guesses: Mapping[str, Picture], around: Around
) -> Measured:
    """Measure the attacks' guesses of the empty view."""
    return _once(bench, item, key, "blind", guesses, around)


def forget(bench: Bench) -> None:
    """Drop the oldest of what was measured once, so that it takes no more memory with more pictures."""
    while len(bench.once) > MOST:
        del bench.once[next(iter(bench.once))]


def _once(
    bench: Bench, item: Reception, key: Held, kind: str, pictures: Mapping[str, Picture], around: Around
) -> Measured:
    """Measure what was not measured yet, by the metrics that have a distance."""
    visible = item.visible[key]
    digest = hashlib.sha256(np.packbits(visible).tobytes()).hexdigest()
    places = {name: (item.sample.id, digest, kind, name) for name in pictures}
    metrics: list[Metric] = [metric for metric in bench.plan.metrics if metric.exact is not None]
    found = {name: bench.once[place] for name, place in places.items() if place in bench.once}
    new = {name: pictures[name] for name in pictures if name not in found}
    measured = measure(item.frame, visible, new, metrics, around)
    for name in new:
        found[name] = {metric.column: measured[metric.column][name] for metric in metrics}
        bench.once[places[name]] = found[name]
    return {metric.column: {name: found[name][metric.column] for name in pictures} for metric in metrics}


def draw_colour(prior: Prior, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the colour of some pixel of some training picture, (3,)."""
    picture = prior.pictures[rng.integers(len(prior.pictures))]
    colour: npt.NDArray[np.float32] = picture[rng.integers(picture.shape[0]), rng.integers(picture.shape[1])]
    return colour
