"""Prompts for an object in the two protocols, `clicks` and `saf`.

Pixels are (x, y) in the original picture. "First" means first in row order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pedbench.types import Mask

Pixel = tuple[int, int]

NEAR_ENOUGH = 20
"""Pixels from the border at which the search of `saf_point` stops."""


def bounding_box(mask: Mask) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a mask; right and bottom are exclusive, as in COCO's boxes.

    Raises:
        ValueError: The mask is empty.
    """
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        raise ValueError("an empty mask has no place for a prompt")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def innermost_pixel(mask: Mask) -> Pixel:
    """Return the pixel farthest from the object's border: protocol `clicks`, first click.

    The first maximum of the Euclidean distance transform of the mask, padded by a pixel (Kirillov et al.,
    Segment Anything, arXiv 2304.02643, section D.1).

    Args:
        mask: (H, W) bool, not empty.
    """
    from scipy import ndimage

    left, top, right, bottom = bounding_box(mask)
    # Pixels outside the box are never nearer than the ring around it.
    distance = ndimage.distance_transform_edt(np.pad(mask[top:bottom, left:right], 1))
    row, column = np.unravel_index(int(distance.argmax()), distance.shape)
    return left + int(column) - 1, top + int(row) - 1


def next_click(truth: Mask, guess: Mask) -> tuple[Pixel, bool] | None:
    """Return the click that corrects a mask: protocol `clicks`, all but the first click.

    It is the innermost pixel of the larger error region, missed or surplus pixels; of the missed ones if both are
    equally large.

    Args:
        truth: (H, W) bool.
        guess: (H, W) bool.

    Returns:
        The pixel, and whether it belongs to the object; None when there is nothing to correct.
    """
    missed, surplus = truth & ~guess, guess & ~truth
    inside = bool(np.count_nonzero(missed) >= np.count_nonzero(surplus))
    region = missed if inside else surplus
    return (innermost_pixel(region), inside) if region.any() else None


def saf_point(mask: Mask) -> Pixel:
    """Return the one point of protocol `saf`.

    It is the centre of mass, rounded half to even, if that is inside the object. Else it is the first pixel whose
    distance to the border is at least 20 pixels up, down, left and right. If there is none, it is the first pixel
    with the largest minimum of the four. Same as segment-anything-fast
    (github.com/pytorch-labs/segment-anything-fast, experiments/data.py).

    Args:
        mask: (H, W) bool, not empty.
    """
    left, top, right, bottom = bounding_box(mask)
    inside = mask[top:bottom, left:right]
    rows, columns = np.nonzero(inside)
    # In coordinates of the whole picture: adding the offset afterwards could round differently.
    x, y = round((columns + left).sum() / len(columns)), round((rows + top).sum() / len(rows))
    if mask[y, x]:
        return x, y
    runs = np.minimum.reduce([np.rot90(_run_to_left(np.rot90(inside, turn)), -turn) for turn in range(4)])
    runs[~inside] = -1
    place = int((np.minimum(runs, NEAR_ENOUGH)).argmax())
    row, column = divmod(place, inside.shape[1])
    return left + column, top + row


def _run_to_left(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the number of pixels to the left that belong to the mask without a gap; -1 outside."""
    places = np.arange(mask.shape[1])
    border = np.maximum.accumulate(np.where(mask, -1, places), axis=1)
    run: npt.NDArray[np.int64] = places - border - 1
    return run
