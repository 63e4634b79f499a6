"""Blurring the picture before it is offloaded."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.types import Picture

_NETWORKS = {"original": "original", "fine-tuned": "blurred"}


@dataclass(kw_only=True)
class GaussianBlur(Defense):
    """One server gets the frame behind a Gaussian blur.

    Attributes:
        sigma: Standard deviation relative to the frame's longest side. The default, 2.5 px at 320 px, is the
            weakest at which at most a tenth of the words of training scenes are read as they arrive
            (docs/reference/protocol.md, Claims).
        weights: The network that the server runs: `original`, or `fine-tuned` by ped_sam's recipe on pictures
            degraded like this.
    """

    name = "gaussian_blur"
    version = 2
    disclosure = "degraded"
    sigma: float = 0.0078125
    weights: str = "original"

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ValueError(f"sigma must be positive, found {self.sigma}")
        if self.weights not in _NETWORKS:
            raise ValueError(f"weights is {self.weights!r}; known: {', '.join(_NETWORKS)}")

    @property
    def networks(self) -> tuple[str, ...]:
        return (_NETWORKS[self.weights],)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        with edge.preparing():
            blurred = self.degrade(frame)
        return cloud[0].encode_image(blurred, _NETWORKS[self.weights])

    def degrade(self, frame: Picture) -> Picture:
        """What the server gets of a frame."""
        return blur(frame, self.sigma * max(frame.shape[:2]))


def blur(frame: Picture, sigma: float) -> Picture:
    """Blur with a standard deviation of `sigma` pixels; beyond its edge the frame goes on as its edge."""
    blurred: Picture = np.clip(ndimage.gaussian_filter(frame, (sigma, sigma, 0), mode="nearest"), 0, 1)
    return blurred
