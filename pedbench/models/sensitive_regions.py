"""Detectors of faces, text and screens that a small device can run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from pedbench.errors import PluginUnavailable
from pedbench.models.face_cascade import Box, FaceCascade
from pedbench.models.hub.detection import load_detector
from pedbench.models.text_lines import REMEDY, TextLines, TextLinesUnavailable
from pedbench.pictures.frame import from_uint8

_TEXT_SIDE = 800
"""Minimum longest side in pixels for text detection; smaller pictures are enlarged.

In 24 training scenes of 320 px the detector finds 0.86 of 43 words at 640 px, 0.98 at 768 px and all at 800 px, where
it takes 0.8 s of a core per scene.
"""

_FACE_SIDE = 480
"""Longest side in pixels for face detection; pictures are scaled to it, as time grows with the pixels."""

_LARGEST_FACE = 0.35
"""Side of the largest face, relative to the picture's longest side."""

_AGREEING = 4
"""Windows of the cascade that have to agree on a face."""

SCREENS = "objects-mini"
"""Model that finds screens, in scenes alone."""

_KINDS_OF_SCREENS = frozenset({"laptop", "monitor", "phone", "tablet"})

_SCREEN_CONFIDENCE = 0.3
"""Minimum confidence of a screen; `objects-mini` finds 0.90 of the objects of training scenes with it."""


class FaceDetector:
    """Detector of frontal faces up to a part of the picture's size."""

    def __init__(self) -> None:
        self._cascade = FaceCascade(_AGREEING)

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> list[Box]:
        """Return the boxes of the faces in (H, W, 3) pixels."""
        scale = _FACE_SIDE / max(pixels.shape[:2])
        faces = self._cascade(_resize(pixels, scale), round(_LARGEST_FACE * _FACE_SIDE))
        return [(x / scale, y / scale, width / scale, height / scale) for x, y, width, height in faces]


class TextDetector:
    """Detector of text lines: PP-OCRv6 small without recognition.

    Raises:
        PluginUnavailable: The package rapidocr cannot be used.
    """

    def __init__(self) -> None:
        try:
            self._lines = TextLines(recognise=False)
        except TextLinesUnavailable as error:
            raise PluginUnavailable(
                f"no text can be found: {error}; {REMEDY}, or choose text=False"
            ) from error

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> list[Box]:
        """Return upright boxes around the lines in (H, W, 3) pixels."""
        scale = max(1.0, _TEXT_SIDE / max(pixels.shape[:2]))
        boxes = (line.box for line in self._lines(_resize(pixels, scale)))
        return [(x / scale, y / scale, width / scale, height / scale) for x, y, width, height in boxes]


class ScreenDetector:
    """Detector of laptops, monitors, phones and tablets."""

    def __init__(self) -> None:
        self._detector = load_detector(SCREENS, "cpu")

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> list[Box]:
        """Return the boxes of the screens in (H, W, 3) pixels."""
        found = self._detector(from_uint8(pixels), _SCREEN_CONFIDENCE)
        return [each.box for each in found if each.category in _KINDS_OF_SCREENS]


def _resize(pixels: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
