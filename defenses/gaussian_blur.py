"""Gaussian blur of the picture before it is offloaded."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pedbench.offload.passes.degraded import DegradingDefense
from pedbench.types import Picture


@dataclass(kw_only=True)
class GaussianBlur(DegradingDefense):
    """One server gets the frame after a Gaussian blur.

    Attributes:
        sigma: Standard deviation relative to the frame's longest side. The default, 2.5 px at 320 px, is the
            weakest at which at most a tenth of the words of training scenes are read as they arrive
            (docs/reference/protocol.md, Claims).
        weights: The network that the server runs: `original`, or `fine-tuned` by ped_sam's recipe on blurred
            pictures.
    """

    name = "gaussian_blur"
    version = 2
    fine_tuned = "blurred"
    sigma: float = 0.0078125
    weights: str = "original"

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ValueError(f"sigma must be positive, found {self.sigma}")
        super().__post_init__()

    def degrade(self, frame: Picture, rng: np.random.Generator) -> Picture:
        """Return the degraded frame that the server gets."""
        return blur(frame, self.sigma * max(frame.shape[:2]))


def blur(frame: Picture, sigma: float) -> Picture:
    """Blur with a standard deviation of `sigma` pixels; the frame is continued beyond its border by the
    border's pixels."""
    blurred: Picture = np.clip(ndimage.gaussian_filter(frame, (sigma, sigma, 0), mode="nearest"), 0, 1)
    return blurred
