"""An attack that listens to two requests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class TwoRequests(Attack):
    """Raise unless exactly two requests were heard, else guess what was received."""

    name = "two_requests"
    version = 1
    needs = frozenset({"pixels"})
    requests: int = 2

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        heard = {patch.request for patch in view.patches}
        if heard != {0, 1} or {message.request for message in view.messages} != heard:
            raise ValueError(f"heard the requests {sorted(heard)}")
        return view.canvas()[0]
