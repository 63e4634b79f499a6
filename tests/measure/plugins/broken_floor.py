"""A floor that fails whenever it sees something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class BrokenFloor(Attack):
    """Guess black without a view, and raise with one."""

    name = "broken_floor"
    version = 1
    needs = frozenset({"nothing", "pixels"})
    floor = True

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        if view.patches:
            raise RuntimeError("too much light")
        return np.zeros((*view.frame_size, 3), np.float32)
