"""An attack that never answers."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Endless(Attack):
    """Wait for a signal that nobody sends."""

    name = "endless"
    version = 1
    needs = frozenset({"pixels"})

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        while True:
            signal.pause()
