"""Square blocks of a picture: their means, and their scrambling."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from pedbench.pictures.windows import Tile
from pedbench.types import Picture


def block_means(frame: Picture, side: int) -> tuple[Picture, npt.NDArray[np.int64]]:
    """Average blocks of `side` pixels from the top left; those at the bottom and right may be cut off.

    Args:
        frame: (H, W, 3) in [0, 1].

    Returns:
        (rows, columns, 3) means, and the number (rows, columns) of each block's pixels.
    """
    tops, lefts = (np.arange(0, size, side) for size in frame.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(frame, tops, axis=0, dtype=np.float64), lefts, axis=1)
    heights, widths = (
        np.diff(np.append(starts, size)) for starts, size in zip((tops, lefts), frame.shape[:2], strict=True)
    )
    pixels = heights[:, None] * widths
    return np.clip(sums / pixels[..., None], 0, 1).astype(np.float32), pixels


def fill_blocks(colours: Picture, side: int, size: tuple[int, ...]) -> Picture:
    """Give every pixel of a frame the colour of its block.

    Args:
        colours: (rows, columns, 3).
        side: Side of a block in pixels.
        size: Height and width of the frame.

    Returns:
        (height, width, 3).
    """
    rows, columns = (np.arange(length) // side for length in size)
    filled: Picture = colours[rows[:, None], columns]
    return filled


def laplace_scale(pixels: npt.ArrayLike, m: int, epsilon: float) -> npt.NDArray[np.float64]:
    """Return the scale of noise that makes means of blocks epsilon-differentially private.

    Pictures are neighbours if they differ in at most m pixels. Fan's are grey, with a sensitivity of m over the number
    of pixels of a block. The three channels of a pixel may all differ, so epsilon is shared among them.

    Args:
        pixels: Number of pixels of each block.

    Returns:
        The scale of Laplace noise on each of a block's three means, which lie in [0, 1].

    Source: Fan, Image Pixelization with Differential Privacy, DBSec 2018.
    """
    return 3 * m / (epsilon * np.asarray(pixels, np.float64))


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
