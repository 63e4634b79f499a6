"""An attack to which chance belongs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Lucky(Attack):
    """Guess a random colour."""

    name = "lucky"
    version = 1
    needs = frozenset({"nothing", "pixels"})
    stochastic = True

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return np.tile(rng.random(3, np.float32), (*view.frame_size, 1))
