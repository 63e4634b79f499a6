"""Text recognition by PaddleOCR's networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pedbench.base import Claim, Probe, ProbeUnavailable
from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture

Box = tuple[float, float, float, float]


@dataclass(kw_only=True)
class Ocr(Probe):
    """Read words with PP-OCRv4 (detection and recognition) from rapidocr-onnxruntime.

    A line of several words is claimed as a whole and word by word.
    """

    name = "ocr"
    version = 1
    cite = "PP-OCR, arXiv 2009.09941; rapidocr-onnxruntime"
    reads = "text"
    side = 960

    def prepare(self, device: str) -> None:
        try:
            from rapidocr_onnxruntime import RapidOCR
        # Missing system libraries, such as OpenCV's libGL, are import errors, too.
        except ImportError as error:
            raise ProbeUnavailable(
                f"rapidocr-onnxruntime cannot be loaded ({error})",
                "python -m pip install 'pedbench[probes]' with a Python older than 3.13; if libGL is "
                "missing, install it (on Debian and Ubuntu: libgl1)",
            ) from error
        # Pictures come magnified; by default the detector would resize each to 736 px, even a single tile.
        # Networks this small gain little from threads, which contend on a busy machine.
        self._engine: Any = RapidOCR(
            det_limit_type="max",
            det_limit_side_len=4000,
            use_cls=False,
            intra_op_num_threads=1,
            inter_op_num_threads=1,
        )

    def claims(self, picture: Picture) -> list[Claim]:
        blue_green_red = np.ascontiguousarray(to_uint8(picture)[..., ::-1])
        lines, _ = self._engine(blue_green_red)
        return [
            claim for corners, text, score in lines or () for claim in _words(corners, text, float(score))
        ]


def _words(corners: list[list[float]], text: str, confidence: float) -> Iterator[Claim]:
    """Yield the line and, if it has several words, each word with its part of the line's box."""
    if not text:
        return
    (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
    place = 0
    for word in (text, *(text.split() if len(text.split()) > 1 else ())):
        start = text.index(word, place)
        place = start + len(word) if word != text else 0
        x, end = (float(left + (right - left) * k / len(text)) for k in (start, start + len(word)))
        box = (x, float(top), end - x, float(bottom - top))
        yield Claim(kind="text", content=word, box=box, confidence=confidence)
