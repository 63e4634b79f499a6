"""What guesses that do not depend on the view are worth: each is measured once a picture and visible part."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pedbench.base import Metric
from pedbench.measure.bench import Bench
from pedbench.measure.seeds import generator
from pedbench.measure.views import Held, Reception
from pedbench.privacy.scoring import Around, Measured, measure
from pedbench.types import Picture, Prior

MOST = 10_000
"""Guesses whose measurements are kept; other defenses ask for the same ones again."""


def drawn(bench: Bench, item: Reception, held: Held, attacks: Sequence[str], around: Around) -> Measured:
    """What the colours measure that are drawn for attacks: what choosing among many attacks gains by itself.

    A colour depends on the picture and the attack's label alone, as an attack's own chance does.
    """
    suite, dataset = bench.plan.suite, bench.plan.dataset
    pictures = {}
    for attack in attacks:
        rng = generator(suite.seed, dataset.name, item.sample.id, f"knows nothing: {attack}")
        pictures[attack] = np.broadcast_to(draw_colour(bench.prior, rng), item.frame.shape)
    return _once(bench, item, held, "knows nothing", pictures, around)


def unseen(
    bench: Bench, item: Reception, held: Held, guesses: Mapping[str, Picture], around: Around
) -> Measured:
    """What the attacks' guesses of the empty view measure."""
    return _once(bench, item, held, "blind", guesses, around)


def forget(bench: Bench) -> None:
    """Drop the oldest of what was measured once, so that it takes no more memory with more pictures."""
    while len(bench.once) > MOST:
        del bench.once[next(iter(bench.once))]


def _once(
    bench: Bench, item: Reception, held: Held, kind: str, pictures: Mapping[str, Picture], around: Around
) -> Measured:
    """Measure what was not measured yet, by the metrics that have a distance."""
    visible = item.visible[held]
    digest = hashlib.sha256(np.packbits(visible).tobytes()).hexdigest()
    keys = {name: (item.sample.id, digest, kind, name) for name in pictures}
    metrics: list[Metric] = [metric for metric in bench.plan.metrics if metric.exact is not None]
    found = {name: bench.once[key] for name, key in keys.items() if key in bench.once}
    new = {name: pictures[name] for name in pictures if name not in found}
    measured = measure(item.frame, visible, new, metrics, around)
    for name in new:
        found[name] = {metric.column: measured[metric.column][name] for metric in metrics}
        bench.once[keys[name]] = found[name]
    return {metric.column: {name: found[name][metric.column] for name in pictures} for metric in metrics}


def draw_colour(prior: Prior, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """The colour of some pixel of some training picture, (3,)."""
    picture = prior.pictures[rng.integers(len(prior.pictures))]
    colour: npt.NDArray[np.float32] = picture[rng.integers(picture.shape[0]), rng.integers(picture.shape[1])]
    return colour
