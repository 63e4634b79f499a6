"""A probe that reads pieces of frames and remembers what it has read."""

from __future__ import annotations

import copy
import hashlib
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pedbench.base import Claim, Probe
from pedbench.errors import ProbeUnavailable
from pedbench.host.provenance import cores
from pedbench.pictures.frame import Size, to_uint8
from pedbench.privacy.pieces import Piece, magnify

MOST_AT_ONCE = 4
"""Copies of a probe, each with its networks, that read beside each other."""


class Reader:
    """A probe that is ready, or the reason why it is not.

    The same content is read once, wherever it lies and whoever received it: all that depends on the content
    alone is kept for as long as the reader lives. Several threads may read; each has a copy of the probe meanwhile.

    Attributes:
        unavailable: Why the probe cannot read on this machine; empty if it can.
    """

    def __init__(self, probe: Probe, device: str) -> None:
        self.probe = probe
        self.unavailable = ""
        self._known: dict[bytes, list[Claim]] = {}
        self._free: queue.SimpleQueue[Probe] = queue.SimpleQueue()
        # An accelerator computes one after the other, and holds each copy's networks.
        copies = min(cores(), MOST_AT_ONCE) if device == "cpu" else 1
        for probe_copy in (copy.copy(probe) for _ in range(copies)):
            try:
                probe_copy.prepare(device)
            except ProbeUnavailable as error:
                self.unavailable = str(error)
                return
            self._free.put(probe_copy)

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
            with self._probe() as probe:
                self._known[key] = [large.back(claim) for claim in probe.claims(large.picture)]
        return [claim for known in self._known[key] if (claim := _placed(known, piece)) is not None]

    @contextmanager
    def _probe(self) -> Iterator[Probe]:
        probe = self._free.get()
        try:
            yield probe
        finally:
            self._free.put(probe)


def _placed(claim: Claim, piece: Piece) -> Claim | None:
    """A claim about a piece's picture as one about the frame, without what lies beyond the piece."""
    x, y, width, height = claim.box
    left, top = max(0.0, x), max(0.0, y)
    right = min(float(piece.picture.shape[1]), x + width)
    bottom = min(float(piece.picture.shape[0]), y + height)
    if right <= left or bottom <= top:
        return None
    return replace(claim, box=(left + piece.left, top + piece.top, right - left, bottom - top))
