"""A probe that reads pieces of frames and remembers what it has read."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from pedbench.base import Claim, Probe, ProbeUnavailable
from pedbench.frame import Size, to_uint8
from pedbench.legible import Piece, magnify


class Reader:
    """A probe that is ready, or the reason why it is not.

    The same content is read once, wherever it lies and whoever received it: all that depends on the content
    alone is kept for as long as the reader lives.

    Attributes:
        unavailable: Why the probe cannot read on this machine; empty if it can.
    """

    def __init__(self, probe: Probe, device: str) -> None:
        self.probe = probe
        self.unavailable = ""
        self._known: dict[bytes, list[Claim]] = {}
        try:
            probe.prepare(device)
        except ProbeUnavailable as error:
            self.unavailable = str(error)

    def read(self, piece: Piece, frame: Size) -> list[Claim]:
        """Claims about a piece, with boxes in pixels of the frame.

        Args:
            frame: Height and width of the frame, by which the piece is magnified.
        """
        pixels = to_uint8(piece.picture)
        factor = max(1.0, self.probe.side / max(frame))
        key = hashlib.sha256(f"{factor} {pixels.shape}".encode() + pixels.tobytes()).digest()
        if key not in self._known:
            large = magnify(piece.picture, factor)
            self._known[key] = [large.back(claim) for claim in self.probe.claims(large.picture)]
        return [claim for known in self._known[key] if (claim := _placed(known, piece)) is not None]


def _placed(claim: Claim, piece: Piece) -> Claim | None:
    """A claim about a piece's picture as one about the frame, without what lies beyond the piece."""
    x, y, width, height = claim.box
    left, top = max(0.0, x), max(0.0, y)
    right = min(float(piece.picture.shape[1]), x + width)
    bottom = min(float(piece.picture.shape[0]), y + height)
    if right <= left or bottom <= top:
        return None
    return replace(claim, box=(left + piece.left, top + piece.top, right - left, bottom - top))
