"""COCO segmentations to masks, checked before any compiled code sees them.

pycocotools trusts its input: a run-length string that does not end reads beyond its memory, and far-off
polygon corners fill it. Run lengths are therefore decoded here; polygons go to pycocotools, whose
rasterisation defines COCO's masks, once their extent is known to be harmless.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.types import Mask

_LONGEST_OUTLINE = 1_000_000
"""Pixels along the outline of one object; pycocotools' memory grows with it."""

_CHARACTERS_PER_COUNT = 6
"""Five bits each: enough for every count of a picture that is read."""


def decode_segmentation(segmentation: Any, size: tuple[int, int]) -> Mask:
    """Decode polygons or run lengths, compressed or not.

    Args:
        segmentation: As in the JSON file.
        size: Height and width of the picture.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: It is not a segmentation of a picture of that size; the message says why.
    """
    if segmentation is None or segmentation == []:
        raise ValueError("it has no segmentation")
    if isinstance(segmentation, list):
        return _from_polygons(segmentation, size)
    if not isinstance(segmentation, dict):
        raise ValueError(
            f"a segmentation is a list of polygons or run lengths: found {type(segmentation).__name__}"
        )
    if segmentation.get("size") != list(size):
        found = str(segmentation.get("size"))[:40]
        raise ValueError(f"run lengths are of another size than the picture: {found}, not {list(size)}")
    counts = segmentation.get("counts")
    if isinstance(counts, str):
        runs = _uncompress(counts)
    elif isinstance(counts, list):
        if not counts or not all(type(count) is int and abs(count) < 2**31 for count in counts):
            raise ValueError("run lengths are a list of integers that fit into 32 bits")
        runs = np.array(counts, np.int64)
    else:
        raise ValueError(f"run lengths are a string or a list, found {type(counts).__name__}")
    return _fill(runs, size)


def _fill(runs: npt.NDArray[np.int64], size: tuple[int, int]) -> Mask:
    """Run lengths, of outside and inside in turn and down the columns, to a mask."""
    low, high, total = int(runs.min()), int(runs.max()), int(runs.sum())
    if low < 0 or high > size[0] * size[1] or total != size[0] * size[1]:
        raise ValueError(
            f"run lengths do not fill the picture: in [{low}, {high}], sum {total}, for {size[1]} x {size[0]} pixels"
        )
    inside = np.arange(len(runs)) % 2 == 1
    return np.ascontiguousarray(np.repeat(inside, runs).reshape(size[::-1]).T)


def _uncompress(text: str) -> npt.NDArray[np.int64]:
    """COCO's run-length strings: little-endian groups of five bits, from the third on as differences."""
    try:
        codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        codes = np.array([-1])
    if not len(codes) or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise ValueError("the run-length string is empty, ends early or has other characters than '0' to 'o'")
    ends = np.flatnonzero(codes & 32 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _CHARACTERS_PER_COUNT:
        raise ValueError("the run-length string holds a number larger than any picture")
    places = np.arange(len(codes)) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & 31) << 5 * places, starts)
    values -= np.where(codes[ends] & 16, 1 << 5 * lengths, 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def _from_polygons(polygons: list[Any], size: tuple[int, int]) -> Mask:
    from pycocotools import mask as coco_mask

    for polygon in polygons:
        if not isinstance(polygon, list) or not all(type(value) in (int, float) for value in polygon):
            raise ValueError("a polygon is a list of numbers")
    # Exports leave points and lines next to a polygon; pycocotools takes four numbers for a box.
    sound = [polygon for polygon in polygons if len(polygon) >= 6 and len(polygon) % 2 == 0]
    if not sound:
        raise ValueError(f"a polygon has at least three corners of two numbers: found {len(polygons[0])}")
    outline = 0.0
    for polygon in sound:
        corners = np.array([float(value) for value in polygon]).reshape(-1, 2)
        extent = np.array(size[::-1], np.float64)
        # Negated, so that NaN fails as well.
        if not (np.all(corners >= -extent) and np.all(corners <= 2 * extent)):
            raise ValueError("a polygon has corners far outside the picture")
        outline += float(np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1).sum())
    if outline > _LONGEST_OUTLINE:
        raise ValueError(f"the polygons' outline is longer than {_LONGEST_OUTLINE} pixels: {outline:.0f}")
    merged = coco_mask.merge(coco_mask.frPyObjects(sound, *size))
    return _fill(_uncompress(merged["counts"].decode("ascii")), size)
