"""Shared code of picture codecs: the tiles of a message are written as one picture, one below the other.

Zeros at the bottom and right of a tile (padding beyond the frame) come back as exact zeros: their extent is written
down, and in the picture the tile's edge is repeated over them.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Tiles = npt.NDArray[np.uint8]

_BROKEN = (OSError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
"""Exceptions of PIL for bytes that are no picture, damaged chunks, and headers that announce too many pixels."""


def write_pictures(array: npt.NDArray[Any], **options: Any) -> bytes:
    """Encode pictures.

    Args:
        array: (..., H, W, 3) uint8.
        options: Arguments of `PIL.Image.Image.save`, `format` among them.
    """
    height, width = array.shape[-3:-1]
    tiles = array.reshape(-1, height, width, 3)
    extents = np.array([_extent(tile) for tile in tiles], "<u2")
    filled = [_continued(tile, extent.tolist()) for tile, extent in zip(tiles, extents, strict=True)]
    stream = io.BytesIO()
    Image.fromarray(np.concatenate(filled)).save(stream, **options)
    return extents.tobytes() + stream.getvalue()


def read_pictures(data: bytes, shape: tuple[int, ...], kind: str) -> Tiles:
    """Decode the bytes of `write_pictures`.

    Args:
        data: The bytes.
        shape: Shape of the array.
        kind: PIL's name of the format.

    Raises:
        ValueError: The bytes are no such picture, or its size does not match the shape.
    """
    count = math.prod(shape[:-3])
    height, width = shape[-3:-1]
    extents = np.frombuffer(data[: 4 * count], "<u2").reshape(count, 2)
    try:
        with Image.open(io.BytesIO(data[4 * count :]), formats=[kind]) as picture:
            if picture.size != (width, count * height) or picture.mode != "RGB":
                raise ValueError(
                    f"expected RGB, {width} x {count * height}, found {picture.mode}, {picture.size}"
                )
            tiles = np.array(picture).reshape(count, height, width, 3)
    except _BROKEN as error:
        raise ValueError(f"{len(data)} bytes are no {kind}: {error}") from error
    for tile, (bottom, right) in zip(tiles, extents.tolist(), strict=True):
        tile[bottom:] = 0
        tile[:, right:] = 0
    return tiles.reshape(shape)


def _extent(tile: Tiles) -> tuple[int, int]:
    """Return the numbers of rows and columns up to the last that is not zero."""
    lit = tile.max(axis=2) > 0
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    return (int(rows[-1]) + 1, int(columns[-1]) + 1) if rows.size else (0, 0)


def _continued(tile: Tiles, extent: tuple[int, int]) -> Tiles:
    if not all(extent):
        return tile
    padding = [(0, side - part) for side, part in zip(tile.shape, extent, strict=False)]
    return np.pad(tile[: extent[0], : extent[1]], (*padding, (0, 0)), mode="edge")
