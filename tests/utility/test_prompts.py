"""Prompts against references that follow the protocols' words, slowly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from pedbench.data.coco import CocoFolder
from pedbench.types import Mask
from pedbench.utility.prompts import bounding_box, innermost_pixel, next_click, saf_point

DATA = Path(__file__).parents[3] / "shared" / "data" / "coco"


def farthest_from_background(mask: Mask) -> tuple[int, int]:
    """The first pixel whose nearest background pixel is farthest; beyond the picture all is background.

    Every pixel of the object is measured against every pixel of the background that touches it: a nearest one does,
    as one step from it towards the object is nearer.
    """
    padded = np.pad(mask, 1)
    objects = np.argwhere(padded).astype(np.int32)
    border = np.argwhere(ndimage.binary_dilation(padded) & ~padded).astype(np.int32)
    squares = np.full(len(objects), np.iinfo(np.int32).max, np.int32)
    for row, column in border:
        np.minimum(squares, (objects[:, 0] - row) ** 2 + (objects[:, 1] - column) ** 2, out=squares)
    row, column = objects[squares.argmax()] - 1
    return int(column), int(row)


def walk(mask: Mask) -> tuple[int, int]:
    """`saf` as segment-anything-fast describes it, one step at a time."""
    y, x = (round(float(value)) for value in ndimage.center_of_mass(mask))
    if mask[y, x]:
        return x, y
    best, place = -1, (-1, -1)
    for row, column in np.argwhere(mask).tolist():
        shortest = 10**6
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            steps = 0
            r, c = row + down, column + right
            while 0 <= r < mask.shape[0] and 0 <= c < mask.shape[1] and mask[r, c]:
                steps, r, c = steps + 1, r + down, c + right
            shortest = min(shortest, steps)
        if shortest > best:
            best, place = shortest, (column, row)
        if best >= 20:
            break
    return place


def masks() -> list[Mask]:
    """Noise, blobs, rings, objects at the border and single pixels, of many sizes."""
    rng = np.random.default_rng(11)
    found: list[Mask] = [np.ones((1, 1), np.bool_), np.ones((90, 70), np.bool_)]
    for _ in range(60):
        size = tuple(rng.integers(2, 90, 2))
        smooth = ndimage.gaussian_filter(rng.normal(size=size), rng.uniform(0.01, 9))
        found.append(smooth > np.quantile(smooth, rng.uniform(0.02, 0.98)))
        y, x = np.indices(size) - np.array(size).reshape(2, 1, 1) * rng.uniform(0.2, 0.8)
        radius = np.hypot(y, x)
        outer = rng.uniform(5, 60)
        found.append((radius < outer) & (radius > outer * rng.uniform(0.2, 0.9)))
    return [mask for mask in found if mask.any()]


@pytest.mark.slow
def test_points_equal_slow_references() -> None:
    outside = 0
    for mask in masks():
        assert innermost_pixel(mask) == farthest_from_background(mask)
        assert saf_point(mask) == walk(mask)
        y, x = (round(float(value)) for value in ndimage.center_of_mass(mask))
        outside += not mask[y, x]
    assert outside > 30


@pytest.mark.data
@pytest.mark.long
@pytest.mark.skipif(not DATA.is_dir(), reason="needs the COCO photographs")
def test_points_on_every_annotation_of_photographs() -> None:
    folder = CocoFolder(DATA / "val2017", DATA / "annotations" / "instances_val2017.json")
    seen = 0
    for id in folder.ids:
        for instance in folder.sample(id).instances:
            assert saf_point(instance.mask) == walk(instance.mask), instance.id
            assert innermost_pixel(instance.mask) == farthest_from_background(instance.mask), instance.id
            seen += 1
    assert seen == 794


def mask_of(*rows: str) -> npt.NDArray[Any]:
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def test_the_larger_kind_of_error_is_corrected() -> None:
    truth = mask_of("####....", "####....", "####....")
    assert next_click(truth, truth) is None
    assert next_click(truth, mask_of("........", "........", "........")) == ((1, 1), True)
    assert next_click(truth, mask_of("########", "########", "####....")) == ((4, 0), False)
    # Three pixels are missed in a row and two by two are too many: numbers count, not breadth.
    assert next_click(truth, mask_of(".###..##", ".###..##", ".###....")) == ((6, 0), False)
    assert next_click(truth, mask_of(".#####..", ".###....", "####....")) == ((0, 0), True)


def test_boxes_end_behind_the_last_pixel() -> None:
    assert bounding_box(mask_of("....", ".##.", "...#")) == (1, 1, 4, 3)
    with pytest.raises(ValueError, match="empty mask"):
        bounding_box(mask_of("...."))
