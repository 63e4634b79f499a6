"""An attack on tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class TokenReader(Attack):
    """Read tokens, where there are any."""

    name = "token_reader"
    version = 1
    needs = frozenset({"tokens"})

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return np.zeros((*view.frame_size, 3), np.float32)
