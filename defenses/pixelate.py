"""Pixelation of the picture before it is offloaded."""

from dataclasses import dataclass

import numpy as np

from pedbench.offload.passes.degraded import DegradingDefense
from pedbench.pictures.blocks import block_means, fill_blocks
from pedbench.types import Picture


@dataclass(kw_only=True)
class Pixelate(DegradingDefense):
    """One server gets the frame with square blocks averaged to one colour.

    Attributes:
        block: Side of a block relative to the frame's longest side. The default, 4 px at 320 px, is the smallest
            whole number of pixels at which at most a tenth of the words of training scenes are read as they
            arrive (docs/reference/protocol.md, Claims).
        weights: The network that the server runs: `original`, or `fine-tuned` by ped_sam's recipe on
            pixelated pictures.
    """

    name = "pixelate"
    version = 3
    fine_tuned = "pixelated"
    block: float = 0.0125
    weights: str = "original"

    def __post_init__(self) -> None:
        if not 0 < self.block <= 1:
            raise ValueError(f"block must lie in (0, 1], found {self.block}")
        super().__post_init__()

    def degrade(self, frame: Picture, rng: np.random.Generator) -> Picture:
        """Return the degraded frame that the server gets."""
        return pixelate(frame, max(1, round(self.block * max(frame.shape[:2]))))


def pixelate(frame: Picture, side: int) -> Picture:
    """Average blocks of `side` pixels from the top left; those at the bottom and right may be cut off."""
    return fill_blocks(block_means(frame, side)[0], side, frame.shape[:2])
