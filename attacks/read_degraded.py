"""Floor: what was received in a degraded form, as it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class ReadDegraded(Attack):
    """Take degraded pictures for what they show, unchanged, and the mean colour elsewhere."""

    name = "read_degraded"
    version = 1
    needs = frozenset({"nothing", "degraded"})
    floor = True

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        canvas, seen = view.canvas()
        degraded, held = view.degraded_canvas()
        picture = np.where(seen[..., None], canvas, degraded)
        known = seen | held
        colour = picture[known].mean(axis=0, dtype=np.float64) if known.any() else view.prior.mean_colour
        return np.where(known[..., None], picture, colour).astype(np.float32)
