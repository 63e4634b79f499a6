"""Pictures with what is known about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float32]
"""(H, W, 3) float32 RGB in [0, 1]."""

Mask = npt.NDArray[np.bool_]
"""(H, W) bool."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One annotated object of a sample.

    Attributes:
        mask: (H, W) bool at the image's original resolution, visible part only.
        area: The annotation's own area in square pixels (COCO's, used for the size classes).
        crowd: COCO's `iscrowd`.
    """

    id: int
    category: str
    mask: Mask
    area: float
    crowd: bool = False


@dataclass(frozen=True, kw_only=True)
class Secret:
    """Something a curious server would like to know: a word, a face or an object.

    Attributes:
        content: The word, whose face it is, or the object's category.
        box: x, y, width, height in pixels of the original image.
    """

    kind: Literal["text", "face", "object"]
    content: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture with what is known about it.

    Attributes:
        id: Unique and stable within the dataset; seeds and values are keyed by it.
        image: (H, W, 3) float32 in [0, 1], every value a multiple of 1/255.
        later: What the camera sees of the scene at the second request and at later ones, of the same size; empty
            if nothing moves. Guesses, masks and secrets are about the first.
    """

    id: str
    image: Picture
    later: tuple[Picture, ...] = ()
    instances: tuple[Instance, ...] = ()
    secrets: tuple[Secret, ...] = ()
