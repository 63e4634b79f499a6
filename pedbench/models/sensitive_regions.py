"""Detectors of faces and text that a small device can run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pedbench.errors import PluginUnavailable
from pedbench.models.face_cascade import Box, FaceCascade

_TEXT_SIDE = 640
"""Minimum longest side in pixels for text detection; smaller pictures are enlarged."""

_FACE_SIDE = 480
"""Longest side in pixels for face detection; pictures are scaled to it, as time grows with the pixels."""

_LARGEST_FACE = 0.35
"""Side of the largest face, relative to the picture's longest side."""

_AGREEING = 4
"""Windows of the cascade that have to agree on a face."""


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
    """Detector of text lines: PP-OCRv4's detection network in rapidocr-onnxruntime, without recognition.

    Source: PP-OCR, arXiv 2009.09941.

    Raises:
        PluginUnavailable: The package cannot be loaded.
    """

    def __init__(self) -> None:
        try:
            from rapidocr_onnxruntime import RapidOCR
        # Missing system libraries, such as OpenCV's libGL, are import errors, too.
        except ImportError as error:
            raise PluginUnavailable(
                f"text is found with rapidocr-onnxruntime, which cannot be loaded ({error}): install "
                "'pedbench[probes]' with a Python older than 3.13, or choose text=False"
            ) from error
        # By default the network enlarges every picture to 736 px on its shortest side.
        self._engine: Any = RapidOCR(
            det_limit_type="max", det_limit_side_len=4000, use_cls=False, use_rec=False
        )

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> list[Box]:
        """Return upright boxes around the lines in (H, W, 3) pixels."""
        scale = max(1.0, _TEXT_SIDE / max(pixels.shape[:2]))
        blue_green_red = np.ascontiguousarray(_resize(pixels, scale)[..., ::-1])
        lines, _ = self._engine(blue_green_red)
        boxes = []
        for corners in lines or ():
            (left, top), (right, bottom) = np.min(corners, axis=0) / scale, np.max(corners, axis=0) / scale
            boxes.append((float(left), float(top), float(right - left), float(bottom - top)))
        return boxes


def _resize(pixels: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
