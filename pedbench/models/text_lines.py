"""Text lines by PaddleOCR's networks, as the package rapidocr brings them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.models.face_cascade import Box

NETWORKS = {"Det": "PP-OCRv6_det_small.onnx", "Rec": "PP-OCRv6_rec_small.onnx"}
"""Files of detection and recognition in the package's folder `models`."""

REMEDY = "python -m pip install 'pedbench[probes]'"

LARGEST = 4000
"""Longest side in pixels up to which detection keeps a picture's size; by default it enlarges to 736 px."""


class TextLinesUnavailable(RuntimeError):
    """The package is missing, cannot be imported or brings other networks."""


@dataclass(frozen=True, kw_only=True)
class TextLine:
    """A line of text.

    Attributes:
        box: Upright rectangle around the line, in pixels of the picture.
        text: Recognised text; empty without recognition.
        confidence: Confidence of the recognition, or of the detection without it.
    """

    box: Box
    text: str
    confidence: float


class TextLines:
    """Reader of text lines: the detection and recognition networks PP-OCRv6 small, in onnxruntime on the CPU.

    Source: PP-OCR, arXiv 2009.09941.

    Args:
        recognise: Whether to read the lines, or only to find them.
        threads: Number of threads of each network; all cores by default.

    Raises:
        TextLinesUnavailable: The package cannot be used.
    """

    def __init__(self, *, recognise: bool, threads: int = -1) -> None:
        try:
            package = import_module("rapidocr")
            # The engine imports it when it first reads.
            import_module("onnxruntime")
        # A missing or unfit library of the packages is an import error, too.
        except ImportError as error:
            raise TextLinesUnavailable(f"rapidocr with onnxruntime cannot be loaded ({error})") from error
        folder = Path(str(package.__file__)).parent / "models"
        paths = {part: folder / file for part, file in NETWORKS.items()}
        for path in paths.values():
            if not path.is_file():
                raise TextLinesUnavailable(f"the package rapidocr lacks the network {path}")
        self._recognise = recognise
        self._engine: Any = package.RapidOCR(
            params={
                "Global.log_level": "critical",
                # It would scale crops of very narrow pictures to no height.
                "Global.use_preprocess_img": False,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": threads,
                "Det.limit_type": "max",
                "Det.limit_side_len": LARGEST,
                # A network that is named is never downloaded.
                **{f"{part}.model_path": str(path) for part, path in paths.items()},
            }
        )
        # The engine loads a network when it first needs it.
        blank = np.full((64, 64, 3), 255, np.uint8)
        self._engine(blank, use_det=True, use_cls=False, use_rec=False)
        if recognise:
            self._engine(blank, use_det=False, use_cls=False, use_rec=True)

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> list[TextLine]:
        """Return the lines in (H, W, 3) pixels, RGB."""
        blue_green_red = np.ascontiguousarray(pixels[..., ::-1])
        found = self._engine(blue_green_red, use_det=True, use_cls=False, use_rec=self._recognise)
        if found.boxes is None:
            return []
        texts = found.txts if self._recognise else [""] * len(found.boxes)
        return [
            TextLine(box=_upright(corners), text=text, confidence=float(score))
            for corners, text, score in zip(found.boxes, texts, found.scores, strict=True)
        ]


def _upright(corners: npt.NDArray[np.float64]) -> Box:
    (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)
