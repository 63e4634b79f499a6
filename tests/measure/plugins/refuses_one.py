"""An attack that fails on one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class RefusesOne(Attack):
    """Raise where the server received few bytes, which tells one scene from the other."""

    name = "refuses_one"
    version = 1
    needs = frozenset({"pixels"})

    fewer: int = 0

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        if sum(message.bytes_in for message in view.messages) < self.fewer:
            raise ValueError("I do not like this one")
        return np.zeros((*view.frame_size, 3), np.float32)
