"""Pixelation of the picture before it is offloaded."""

from dataclasses import dataclass

import numpy as np

from pedbench.offload.passes.degraded import DegradingDefense
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

    def degrade(self, frame: Picture) -> Picture:
        """Return the degraded frame that the server gets."""
        return pixelate(frame, max(1, round(self.block * max(frame.shape[:2]))))


def pixelate(frame: Picture, side: int) -> Picture:
    """Average blocks of `side` pixels from the top left; those at the bottom and right may be cut off."""
    rows, columns = (np.arange(0, size, side) for size in frame.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(frame, rows, axis=0, dtype=np.float64), columns, axis=1)
    heights, widths = (
        np.diff(np.append(starts, size))
        for starts, size in zip((rows, columns), frame.shape[:2], strict=True)
    )
    means = np.clip(sums / (heights[:, None] * widths)[..., None], 0, 1).astype(np.float32)
    return np.repeat(np.repeat(means, heights, axis=0), widths, axis=1)
