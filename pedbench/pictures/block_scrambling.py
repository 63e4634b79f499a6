"""Pictures cut into square blocks that change places and orientation."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from pedbench.pictures.windows import Tile
from pedbench.types import Picture

MIRRORED = 4
"""First orientation that mirrors; orientations below it are quarter turns alone."""


def orient(piece: Picture, orientation: int) -> Picture:
    """Mirror a piece left to right if `orientation` is 4 or more, then turn it counter-clockwise.

    Args:
        piece: (h, w, 3).
        orientation: Quarter turns, 0 to 3, plus 4 for a mirrored piece.

    Returns:
        (h, w, 3), or (w, h, 3) after an odd number of quarter turns.
    """
    return np.rot90(piece[:, ::-1] if orientation >= MIRRORED else piece, orientation % 4)


def orientations(size: tuple[int, int], mirror: bool) -> tuple[int, ...]:
    """Return the orientations that keep a rectangle's height and width, the identity first.

    Args:
        size: Height and width.
        mirror: Whether mirrored ones count.
    """
    turns = range(0, 4, 1 if size[0] == size[1] else 2)
    return (*turns, *(turn + MIRRORED for turn in turns)) if mirror else tuple(turns)


def block_side(frame: tuple[int, int], block: float) -> int:
    """Return the side in pixels of blocks whose side relative to the frame's longest side is `block`."""
    return max(1, round(block * max(frame)))


def blocks(frame: tuple[int, int], side: int) -> list[Tile]:
    """Cut a frame into blocks of `side` pixels from the top left; those at the bottom and right may be smaller."""
    height, width = frame
    return [
        Tile(top, left, min(top + side, height), min(left + side, width))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]


def scramble(frame: Picture, side: int, mirror: bool, rng: np.random.Generator) -> Picture:
    """Permute the blocks of a frame at random among those of equal size, and orient each at random.

    A block that is the only one of its size stays as it is.

    Args:
        frame: (H, W, 3).
        side: Side of a block in pixels.
        mirror: Whether blocks are mirrored, too.

    Returns:
        (H, W, 3) with the same pixels.
    """
    alike = defaultdict(list)
    for tile in blocks((frame.shape[0], frame.shape[1]), side):
        alike[tile.height, tile.width].append(tile)
    scrambled = frame.copy()
    for size, tiles in alike.items():
        if len(tiles) > 1:
            turns = rng.choice(orientations(size, mirror), len(tiles))
            for place, source, turn in zip(tiles, rng.permutation(len(tiles)), turns, strict=True):
                scrambled[place.slices] = orient(frame[tiles[source].slices], int(turn))
    return scrambled
