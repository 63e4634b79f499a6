"""Pixelation with differential privacy."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pedbench.offload.passes.degraded import DegradingDefense
from pedbench.pictures.blocks import block_means, fill_blocks, laplace_scale
from pedbench.types import Picture


@dataclass(kw_only=True)
class DpPixelate(DegradingDefense):
    """One server gets the frame with square blocks averaged to one colour, and Laplace noise on each.

    What the server gets is epsilon-differentially private for pictures that differ in at most m pixels. That says
    nothing about larger parts of a picture: k times m pixels have k times epsilon. Every request has fresh noise, and
    k requests for a scene spend k times epsilon.

    Attributes:
        block: Side of a block relative to the frame's longest side.
        epsilon: Privacy budget of a request, over all three channels.
        m: Number of the frame's pixels in which neighbouring pictures may differ.
        weights: The network that the server runs: `original`, or `fine-tuned` by ped_sam's recipe on such
            pictures of many strengths.
    """

    name = "dp_pixelate"
    version = 2
    cite = "Fan, Image Pixelization with Differential Privacy, DBSec 2018"
    fine_tuned = "dp-pixelated"
    block: float = 0.05
    epsilon: float = 10.0
    m: int = 16
    weights: str = "original"

    def __post_init__(self) -> None:
        if not 0 < self.block <= 1:
            raise ValueError(f"block must lie in (0, 1], found {self.block}")
        if not 0 < self.epsilon < float("inf"):
            raise ValueError(f"epsilon must be positive and finite, found {self.epsilon}")
        if self.m < 1:
            raise ValueError(f"m is at least 1, found {self.m}")
        super().__post_init__()

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults without that of epsilon, which every label states."""
        return {name: value for name, value in super().defaults.items() if name != "epsilon"}

    @property
    def randomised(self) -> bool:
        return True

    def degrade(self, frame: Picture, rng: np.random.Generator) -> Picture:
        """Return the degraded frame that the server gets."""
        side = max(1, round(self.block * max(frame.shape[:2])))
        means, pixels = block_means(frame, side)
        scale = laplace_scale(pixels, self.m, self.epsilon)
        noisy = np.clip(means + rng.laplace(0, scale[..., None], means.shape), 0, 1)
        return fill_blocks(noisy.astype(np.float32), side, frame.shape[:2])
