"""Floor: one colour for all hidden pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class MeanColour(Attack):
    """Fill hidden pixels with the mean colour of the visible ones."""

    name = "mean_colour"
    version = 1
    needs = frozenset({"nothing", "pixels"})
    floor = True

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        canvas, seen = view.canvas()
        colour = canvas[seen].mean(axis=0, dtype=np.float64) if seen.any() else view.prior.mean_colour
        return np.where(seen[..., None], canvas, colour).astype(np.float32)
