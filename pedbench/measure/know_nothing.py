"""One guess for each attack that knows nothing of the picture: what choosing among many attacks gains by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pedbench.base import Metric
from pedbench.measure.bench import Bench
from pedbench.measure.reception import Held, Reception
from pedbench.scoring import Measured, measure_constants
from pedbench.seeds import generator
from pedbench.types import Prior


def drawn(bench: Bench, item: Reception, held: Held, attacks: Sequence[str], metric: Metric) -> Measured:
    """What the colours score that are drawn for attacks on one view, each computed once a run.

    A colour depends on the picture and the attack's label alone, as an attack's own chance does.

    Returns:
        Attack -> region -> value; empty for a metric without a distance.
    """
    if metric.exact is None:
        return {}
    visible = item.visible[held]
    digest = hashlib.sha256(np.packbits(visible).tobytes()).hexdigest()
    keys = {attack: (item.sample.id, digest, metric.column, attack) for attack in attacks}
    suite, dataset = bench.plan.suite, bench.plan.dataset
    colours = {
        attack: draw_colour(
            bench.prior, generator(suite.seed, dataset.name, item.sample.id, f"knows nothing: {attack}")
        )
        for attack, key in keys.items()
        if key not in bench.draws
    }
    for attack, values in measure_constants(item.frame, visible, colours, metric).items():
        bench.draws[keys[attack]] = values
    return {attack: bench.draws[key] for attack, key in keys.items()}


def draw_colour(prior: Prior, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """The colour of some pixel of some training picture, (3,)."""
    picture = prior.pictures[rng.integers(len(prior.pictures))]
    colour: npt.NDArray[np.float32] = picture[rng.integers(picture.shape[0]), rng.integers(picture.shape[1])]
    return colour
