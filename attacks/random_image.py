"""Floor: a random training picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pedbench.base import Attack
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class RandomImage(Attack):
    """Return a random training picture, whatever was received."""

    name = "random_image"
    version = 1
    needs = frozenset({"nothing", "pixels"})
    floor = True
    stochastic = True

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        chosen = view.prior.pictures[rng.integers(len(view.prior.pictures))]
        height, width = view.frame_size
        picture = Image.fromarray(to_uint8(chosen))
        resized = picture.resize((width, height), Image.Resampling.BILINEAR)
        return from_uint8(np.asarray(resized))
