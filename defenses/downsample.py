"""Lower resolution before the picture is offloaded."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pedbench.offload.passes.degraded import DegradingDefense
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.types import Picture


@dataclass(kw_only=True)
class Downsample(DegradingDefense):
    """One server gets the frame at a lower resolution.

    The picture is resized to the frame's size before it is sent, so that the encoder sees objects at their
    scale. The defense saves no bytes.

    Attributes:
        factor: Factor by which height and width shrink, with an antialiasing bicubic filter.
        weights: The network that the server runs.
    """

    name = "downsample"
    version = 1
    factor: float = 4.0
    weights: str = "original"

    def __post_init__(self) -> None:
        if not 1 < self.factor < float("inf"):
            raise ValueError(f"factor must be larger than 1, found {self.factor}")

    def degrade(self, frame: Picture, rng: np.random.Generator) -> Picture:
        """Return the degraded frame that the server gets."""
        height, width = frame.shape[:2]
        small = (max(1, round(width / self.factor)), max(1, round(height / self.factor)))
        picture = Image.fromarray(to_uint8(frame)).resize(small, Image.Resampling.BICUBIC)
        return from_uint8(np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC)))
