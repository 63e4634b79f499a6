"""Floor: every pixel takes the colour of the nearest visible pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from pedbench.base import Attack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class NearestPixel(Attack):
    """Give every pixel the colour of the nearest visible pixel."""

    name = "nearest_pixel"
    version = 1
    needs = frozenset({"nothing", "pixels"})
    floor = True

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        canvas, seen = view.canvas()
        if not seen.any():
            return np.tile(view.prior.mean_colour, (*view.frame_size, 1)).astype(np.float32)
        rows, columns = distance_transform_edt(~seen, return_distances=False, return_indices=True)
        nearest: Picture = canvas[rows, columns]
        return nearest
