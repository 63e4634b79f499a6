"""Floor: degraded pictures as they were received."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import ReadOutAttack
from pedbench.inversion.read_out import reading
from pedbench.types import Reading, View


@dataclass(kw_only=True)
class ReadDegraded(ReadOutAttack):
    """Return degraded pictures unchanged, and the mean colour elsewhere."""

    name = "read_degraded"
    version = 1
    needs = frozenset({"nothing", "degraded"})
    floor = True

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        return reading(view)
