"""An attack that wants to read where the truth lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Snoops(Attack):
    """Calls a place its weights."""

    name = "snoops"
    version = 1
    needs = frozenset({"nothing"})

    place: str

    knowledge = "whatever lies there"

    @property
    def files(self) -> tuple[Path, ...]:
        return (Path(self.place),)

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return np.zeros((*view.frame_size, 3), np.float32)
