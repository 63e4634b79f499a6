"""An attack that must not hear more than one request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class OneRequest(Attack):
    """Raise on a second request."""

    name = "one_request"
    version = 1
    needs = frozenset({"pixels"})

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        if any(patch.request for patch in view.patches) or any(m.request for m in view.messages):
            raise ValueError("a second request")
        return view.canvas()[0]
