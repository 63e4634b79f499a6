"""Text recognition by PaddleOCR's networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pedbench.base import Claim, Probe, ProbeUnavailable
from pedbench.models.text_lines import REMEDY, TextLine, TextLines, TextLinesUnavailable
from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture


@dataclass(kw_only=True)
class Ocr(Probe):
    """Read words with PP-OCRv6 small (detection and recognition) from the package rapidocr.

    A line of several words is claimed as a whole and word by word.
    """

    name = "ocr"
    version = 2
    cite = "PP-OCR, arXiv 2009.09941; rapidocr"
    reads = "text"
    side = 960

    def prepare(self, device: str) -> None:
        try:
            # Networks this small gain little from threads, which contend on a busy machine.
            self._lines = TextLines(recognise=True, threads=1)
        except TextLinesUnavailable as error:
            raise ProbeUnavailable(str(error), REMEDY) from error

    def claims(self, picture: Picture) -> list[Claim]:
        return [claim for line in self._lines(to_uint8(picture)) for claim in _words(line)]


def _words(line: TextLine) -> Iterator[Claim]:
    """Yield the line and, if it has several words, each word with its part of the line's box."""
    text, (left, top, width, height) = line.text, line.box
    if not text:
        return
    place = 0
    for word in (text, *(text.split() if len(text.split()) > 1 else ())):
        start = text.index(word, place)
        place = start + len(word) if word != text else 0
        x, end = (left + width * k / len(text) for k in (start, start + len(word)))
        yield Claim(kind="text", content=word, box=(x, top, end - x, height), confidence=line.confidence)
