"""Floor: degraded pictures as they were received."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class ReadDegraded(Attack):
    """Return degraded pictures unchanged, and the mean colour elsewhere."""

    name = "read_degraded"
    version = 1
    needs = frozenset({"nothing", "degraded"})
    floor = True

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        canvas, seen = view.canvas()
        degraded, received = view.degraded_canvas()
        picture = np.where(seen[..., None], canvas, degraded)
        known = seen | received
        colour = picture[known].mean(axis=0, dtype=np.float64) if known.any() else view.prior.mean_colour
        return np.where(known[..., None], picture, colour).astype(np.float32)
