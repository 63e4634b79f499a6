"""Square blocks of a picture, each of one colour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
