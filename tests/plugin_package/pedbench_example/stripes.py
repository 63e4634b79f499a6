"""An attack that continues what it saw along the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Stripes(Attack):
    """Fill each row with the mean colour of what was seen in it.

    Attributes:
        fallback: Grey level of rows in which nothing was seen, in [0, 1].
    """

    name = "stripes"
    version = 4
    needs = frozenset({"nothing", "pixels"})
    floor = True

    fallback: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.fallback <= 1:
            raise ValueError(f"fallback lies in [0, 1], found {self.fallback}")

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        canvas, seen = view.canvas()
        count = seen.sum(axis=1)[:, None, None]
        rows = canvas.sum(axis=1, keepdims=True) / np.maximum(count, 1)
        filled = np.where(count > 0, rows, self.fallback)
        return np.where(seen[..., None], canvas, filled).astype(np.float32)
