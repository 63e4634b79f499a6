"""What an object is before it has a place: its category, its room and how it is painted."""

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
        width, depth: Footprint on what it stands on (for things on a wall: width and thickness), metres.
        height: Metres.
        paint: Paints it at a pose whose origin is the middle of its base (on a wall: its centre).
    """

    category: str
    width: float
    depth: float
    height: float
    paint: Callable[[Brush, Pose], None]


@dataclass(frozen=True, kw_only=True)
class Kit:
    """What a designer works with.

    Attributes:
        avoid: Colours of the surroundings; the object's main colour differs from them.
        scale: Enlarges everything; far scenes take larger things so that they stay recognisable.
    """

    rng: np.random.Generator
    split: Split
    avoid: tuple[Colour, ...]
    scale: float

    def between(self, low: float, high: float) -> float:
        """A random length in metres, scaled."""
        return self.scale * float(self.rng.uniform(low, high))

    def share(self, low: float, high: float) -> float:
        """A random number, not scaled."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return bool(self.rng.random() < probability)

    def colour(self, *more: Colour) -> Colour:
        """A colour unlike the surroundings and the ones given."""
        return object_colour(self.rng, [*self.avoid, *more])
