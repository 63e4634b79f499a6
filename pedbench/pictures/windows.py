"""Geometry of window attention: the grid of windows, its padding, and the pixels that each window covers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from pedbench.types import Window

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array", "np.ndarray[Any, Any]", "Tensor")


class Tile(NamedTuple):
    """A rectangle of pixels; `bottom` and `right` are exclusive. Empty when it has no height or no width."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.right - self.left

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the tile into an array whose first two axes are rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True, kw_only=True)
class WindowGrid:
    """The windows of a token grid; a window is named by its row and column.

    Where `window` does not divide `tokens`, the last row and column of windows extend beyond the grid's
    bottom and right border; those tokens are padding.

    Attributes:
        tokens: Height and width of the token grid.
        window: Side of a window in tokens.
        patch: Side of a token's patch in pixels.
    """

    tokens: tuple[int, int]
    window: int
    patch: int

    def __post_init__(self) -> None:
        if min(*self.tokens, self.window, self.patch) < 1:
            raise ValueError(f"a window grid needs positive sizes, found {self}")

    @property
    def rows(self) -> int:
        """Rows of windows, the padded one included."""
        return -(-self.tokens[0] // self.window)

    @property
    def columns(self) -> int:
        """Columns of windows, the padded one included."""
        return -(-self.tokens[1] // self.window)

    @property
    def count(self) -> int:
        """Number of windows."""
        return self.rows * self.columns

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of the token grid including padding."""
        return self.rows * self.window, self.columns * self.window

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width of the pixels under the token grid."""
        return self.tokens[0] * self.patch, self.tokens[1] * self.patch

    @property
    def windows(self) -> tuple[Window, ...]:
        """All windows, row by row: the order of `partition`."""
        return tuple((row, column) for row in range(self.rows) for column in range(self.columns))

    def inside(self, window: Window) -> tuple[int, int]:
        """Return the height and width of a window in tokens, without padding.

        Raises:
            ValueError: The grid has no such window.
        """
        row, column = self._checked(window)
        height, width = self.tokens
        return min(self.window, height - row * self.window), min(self.window, width - column * self.window)

    def tile(self, window: Window, frame: tuple[int, int] | None = None) -> Tile:
        """Return the pixels under a window, in frame coordinates (the frame lies in the canvas's top left corner).

        Args:
            window: Row and column.
            frame: Height and width of the frame to clip to; by default the whole canvas.

        Returns:
            The rectangle; its area is 0 for a window without any pixel of the frame.

        Raises:
            ValueError: The grid has no such window, or the frame does not lie in the canvas.
        """
        row, column = self._checked(window)
        height, width = self._checked_frame(frame or self.canvas)
        side = self.window * self.patch
        top, left = min(row * side, height), min(column * side, width)
        return Tile(top, left, min(top + side, height), min(left + side, width))

    def active(self, frame: tuple[int, int]) -> tuple[Window, ...]:
        """Return the windows that hold at least one pixel of a frame of height and width `frame`, row by row."""
        return tuple(window for window in self.windows if self.tile(window, frame).area)

    def touched(
        self, boxes: Iterable[tuple[float, float, float, float]], frame: tuple[int, int], margin: float = 0.0
    ) -> tuple[Window, ...]:
        """Return the windows whose part of the frame overlaps some box, row by row.

        Args:
            boxes: x, y, width, height in pixels of the frame.
            frame: Height and width of the frame.
            margin: Pixels by which boxes grow on every side.
        """
        grown = [(x - margin, y - margin, x + w + margin, y + h + margin) for x, y, w, h in boxes]

        def reached(tile: Tile) -> bool:
            return any(
                left < tile.right and right > tile.left and top < tile.bottom and bottom > tile.top
                for left, top, right, bottom in grown
            )

        return tuple(window for window in self.active(frame) if reached(self.tile(window, frame)))

    def partition(self, grid: Array) -> Array:
        """Cut a token grid into windows, like `segment_anything`'s `window_partition`.

        Args:
            grid: (B, h, w, C) array or tensor with (h, w) = `tokens`.

        Returns:
            (B * count, window, window, C); tokens beyond the border are zero.
        """
        if tuple(grid.shape[1:3]) != self.tokens or grid.ndim != 4:
            raise ValueError(f"expected (B, h, w, C) with (h, w) = {self.tokens}, found {tuple(grid.shape)}")
        height, width = self.tokens
        if self.padded != self.tokens:
            shape = (grid.shape[0], *self.padded, grid.shape[3])
            zeros: Any = (
                np.zeros(shape, grid.dtype) if isinstance(grid, np.ndarray) else grid.new_zeros(shape)
            )
            zeros[:, :height, :width] = grid
            grid = zeros
        split = grid.reshape(-1, self.rows, self.window, self.columns, self.window, grid.shape[3])
        return split.swapaxes(2, 3).reshape(-1, self.window, self.window, grid.shape[3])

    def unpartition(self, windows: Array) -> Array:
        """Join windows to a token grid and drop the padding: the inverse of `partition`.

        Args:
            windows: (B * count, window, window, C) array or tensor.

        Returns:
            (B, h, w, C) with (h, w) = `tokens`.
        """
        side = self.window
        if windows.ndim != 4 or windows.shape[0] % self.count or tuple(windows.shape[1:3]) != (side, side):
            raise ValueError(
                f"expected ({self.count} or a multiple, {side}, {side}, C), found {tuple(windows.shape)}"
            )
        height, width = self.tokens
        split = windows.reshape(-1, self.rows, self.columns, self.window, self.window, windows.shape[3])
        return split.swapaxes(2, 3).reshape(-1, *self.padded, windows.shape[3])[:, :height, :width]

    def _checked(self, window: Window) -> Window:
        if not (0 <= window[0] < self.rows and 0 <= window[1] < self.columns):
            raise ValueError(f"window {window} does not lie in the {self.rows}x{self.columns} window grid")
        return window

    def _checked_frame(self, frame: tuple[int, int]) -> tuple[int, int]:
        if not (0 < frame[0] <= self.canvas[0] and 0 < frame[1] <= self.canvas[1]):
            raise ValueError(f"a frame of {frame} pixels does not lie in the canvas of {self.canvas} pixels")
        return frame
