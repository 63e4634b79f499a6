"""An attack whose guess is easily told from others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Black(Attack):
    """Guess black."""

    name = "black"
    version = 1
    needs = frozenset({"nothing"})

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return np.zeros((*view.frame_size, 3), np.float32)
