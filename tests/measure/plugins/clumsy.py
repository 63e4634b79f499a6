"""An attack with a misspelt attribute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Clumsy(Attack):
    """Raise an AttributeError.

    Attributes:
        fault: `guess`, or `batches`, which the harness calls outside of the attack's process.
    """

    name = "clumsy"
    version = 1
    needs = frozenset({"nothing"})
    fault: str = "guess"

    def batches(self, device: str) -> bool:
        return device in self.devices if self.fault == "batches" else False  # type: ignore[attr-defined]

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return view.picture  # type: ignore[attr-defined, no-any-return]
