"""Floor: one colour for all that was not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class MeanColour(Attack):
    """Fill what was not seen with the mean colour of what was."""

    name = "mean_colour"
    version = 1
    needs = frozenset({"nothing", "pixels"})
    floor = True

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        canvas, seen = view.canvas()
        colour = canvas[seen].mean(axis=0, dtype=np.float64) if seen.any() else view.prior.mean_colour
        return np.where(seen[..., None], canvas, colour).astype(np.float32)
