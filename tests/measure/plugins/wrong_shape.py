"""An attack that answers with something else than a picture of the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class WrongShape(Attack):
    """Answer with a small picture."""

    name = "wrong_shape"
    version = 1
    needs = frozenset({"nothing"})

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return np.zeros((8, 8, 3), np.float32)
