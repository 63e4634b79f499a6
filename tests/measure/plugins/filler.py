"""A completion that needs no network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Filler(Attack):
    """Fill what the canvas lacks with the mean colour of training pictures."""

    name = "filler"
    version = 1
    needs = frozenset({"nothing", "pixels"})
    completes = True
    family = "masked autoencoder"

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        canvas, known = view.canvas()
        return np.where(known[..., None], canvas, view.prior.mean_colour).astype(np.float32)
