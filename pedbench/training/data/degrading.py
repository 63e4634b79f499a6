"""Degradation of training pictures as a defense degrades them, at drawn strengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pedbench.registry import Registry
from pedbench.types import Picture

Degrade = Callable[[Picture, np.random.Generator], Picture]
"""Function that degrades a picture (H, W, 3) as a defense does before sending; random choices from the generator."""


def degrading(defense: str, strengths: Mapping[str, tuple[float, float]]) -> Degrade:
    """Return the degradation of a defense, its strength drawn anew for each picture.

    Args:
        defense: Name of a defense with a method `degrade`.
        strengths: By parameter, the smallest and the largest value, drawn uniformly on a logarithmic scale; all other
            parameters have their defaults.
    """
    registry = Registry()

    def degrade(frame: Picture, rng: np.random.Generator) -> Picture:
        strength = {name: float(np.exp(rng.uniform(*np.log(ends)))) for name, ends in strengths.items()}
        degraded: Picture = registry.create("defenses", defense, strength).degrade(frame, rng)
        return degraded

    return degrade
