"""Combination of several requests for one scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pedbench.base import Calibration, ReadOutAttack
from pedbench.inversion.panning import placed_patches
from pedbench.inversion.read_out import LEAST, fill_with_nearest
from pedbench.types import Reading, View


@dataclass(kw_only=True)
class Accumulate(ReadOutAttack):
    """Put together the windows of several requests for one scene; holes take the nearest pixel's colour.

    If windows are assigned anew per request, a coalition that gets a share p of them has seen 1 - (1 - p)^k
    of the scene after k requests. Calibrated on `ped_sam` with random assignment, whose visible share must
    reach that. A panning camera carries the scene past windows that always go to the same server. Its motion
    is estimated from the received pixels; the whole picture is assumed to move alike.

    Attributes:
        requests: Number of requests that are combined.
    """

    name = "accumulate"
    version = 1
    cite = "Wright et al., The Predecessor Attack, 2004, on what repeated random assignment gives away"
    needs = frozenset({"nothing", "pixels"})
    calibration = Calibration(
        defense="ped_sam",
        params={"assignment": "random"},
        metric="leakage[RMSE]",
        region="whole",
        least=0.3,
        over="nearest_pixel",
    )

    requests: int = 4

    def __post_init__(self) -> None:
        if self.requests < 1:
            raise ValueError(f"requests is at least 1, found {self.requests}")

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        if view.moves:
            view = replace(view, patches=placed_patches(view), moves=False)
        seen = view.canvas()[1]
        confidence = np.where(seen, 1, LEAST).astype(np.float32)
        return Reading(picture=fill_with_nearest(view), confidence=confidence)
