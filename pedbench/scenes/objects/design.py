"""Designs of objects before placement: category, size and how to paint them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pedbench.scenes.painting.assets import Colour, Split
from pedbench.scenes.painting.brush import Brush
from pedbench.scenes.painting.geometry import Pose
from pedbench.scenes.painting.textures import object_colour


@dataclass(frozen=True, kw_only=True)
class Design:
    """One particular object.

    Attributes:
        width, depth: Footprint on its support (on a wall: width and thickness), metres.
        height: Height in metres.
        paint: Paints it at a pose whose origin is the middle of its base (on a wall: its centre).
    """

    category: str
    width: float
    depth: float
    height: float
    paint: Callable[[Brush, Pose], None]


@dataclass(frozen=True, kw_only=True)
class Kit:
    """Settings and random numbers for a designer.

    Attributes:
        avoid: Colours of the surroundings; the object's main colour differs from them.
        scale: Factor on all lengths; distant scenes use larger objects to keep them recognisable.
    """

    rng: np.random.Generator
    split: Split
    avoid: tuple[Colour, ...]
    scale: float

    def between(self, low: float, high: float) -> float:
        """Return a random length in metres, scaled."""
        return self.scale * float(self.rng.uniform(low, high))

    def share(self, low: float, high: float) -> float:
        """Return a random number from a range, not scaled."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return bool(self.rng.random() < probability)

    def colour(self, *more: Colour) -> Colour:
        """Return a colour that differs from the surroundings and from `more`."""
        return object_colour(self.rng, [*self.avoid, *more])
