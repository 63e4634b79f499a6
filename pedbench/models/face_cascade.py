"""Frontal faces by a cascade of local binary patterns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""

WINDOW = 24
"""Side in pixels of the cascade's window, which is the smallest face that it can find."""


class FaceCascade:
    """Cascade that comes with scikit-image.

    Source: Liao et al., Learning Multi-Scale Block Local Binary Patterns for Face Recognition, 2007.

    Args:
        agreeing: Windows that have to agree on a face.
    """

    def __init__(self, agreeing: int) -> None:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade

        self._agreeing = agreeing
        self._cascade: Any = Cascade(lbp_frontal_face_cascade_filename())

    def __call__(self, pixels: npt.NDArray[np.uint8], largest: int) -> list[Box]:
        """Return the boxes of the faces in (H, W, 3) pixels, up to `largest` pixels wide and high."""
        shortest = min(pixels.shape[:2])
        if shortest < WINDOW:
            return []
        largest = max(WINDOW, min(largest, shortest))
        faces = self._cascade.detect_multi_scale(
            img=pixels,
            scale_factor=1.1,
            step_ratio=1,
            min_size=(WINDOW, WINDOW),
            max_size=(largest, largest),
            min_neighbor_number=self._agreeing,
        )
        return [
            (float(face["c"]), float(face["r"]), float(face["width"]), float(face["height"]))
            for face in faces
        ]
