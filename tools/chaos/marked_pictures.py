"""Noise pictures whose windows can be recognised by their pixels among received bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from pedbench.offload.operations.tiles import cut_tiles
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Picture, Window

_ROWS = (1, 7, 22, 40)
"""Rows of a window whose first pixels mark it."""

_KEPT = 5
"""Number of recent pictures whose windows are recognised."""


class MarkedPictures:
    """Source of noise pictures, which remembers the marks of the last ones.

    Args:
        size: (height, width) of a picture.
        rng: Generator of the noise.
    """

    def __init__(self, grid: WindowGrid, size: tuple[int, int], rng: np.random.Generator) -> None:
        self._grid, self._size, self._rng = grid, size, rng
        self._recent: deque[dict[Window, list[bytes]]] = deque(maxlen=_KEPT)

    def draw(self) -> Picture:
        """Return a picture in which every window is different, also from those of other pictures."""
        picture = from_uint8(self._rng.integers(0, 256, (*self._size, 3)).astype(np.uint8))
        pixels = to_uint8(picture)
        tiles = {window: cut_tiles(pixels, [window], self._grid)[0] for window in self.windows}
        self._recent.append(
            {window: [tile[row, :12].tobytes() for row in _ROWS] for window, tile in tiles.items()}
        )
        return picture

    @property
    def windows(self) -> tuple[Window, ...]:
        """All windows of a picture."""
        return tuple(self._grid.active(self._size))

    def complete(self, received: bytes) -> list[Window]:
        """List the windows of the latest picture that were received as a whole."""
        return [
            window for window, marks in self._recent[-1].items() if all(mark in received for mark in marks)
        ]

    def strays(self, received: bytes, assigned: Sequence[Window]) -> int:
        """Count the windows of recent pictures of which any part was received without being assigned."""
        return sum(
            any(mark in received for mark in marks)
            for picture in self._recent
            for window, marks in picture.items()
            if window not in assigned
        )
