"""Frames against `segment_anything`'s own resizing; masks against areas counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from segment_anything.utils.transforms import ResizeLongestSide

from pedbench.pictures.frame import (
    box_to_frame,
    frame_size,
    from_uint8,
    mask_to_frame,
    scale_boxes,
    scale_points,
    to_frame,
    to_uint8,
)

SIZES = [(480, 640), (640, 427), (240, 320), (37, 53), (1, 9), (320, 320)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("longest", [320, 1024])
def test_equals_segment_anything(size: tuple[int, int], longest: int) -> None:
    rng = np.random.default_rng(size[0])
    pixels = rng.integers(0, 256, (*size, 3), np.uint8)
    resize = ResizeLongestSide(longest)
    frame = to_frame(from_uint8(pixels), longest)
    np.testing.assert_array_equal(frame, resize.apply_image(pixels).astype(np.float32) / 255)
    new_size = frame_size(*size, longest)
    assert frame.shape == (*new_size, 3)
    assert frame.dtype == np.float32
    points, boxes = rng.uniform(0, size[0], (7, 3, 2)), rng.uniform(0, size[1], (5, 4))
    np.testing.assert_array_equal(scale_points(points, size, new_size), resize.apply_coords(points, size))
    np.testing.assert_array_equal(scale_boxes(boxes, size, new_size), resize.apply_boxes(boxes, size))


def test_a_very_thin_picture_keeps_a_row() -> None:
    assert to_frame(np.ones((1, 5000, 3), np.float32), 320).shape == (1, 320, 3)
    with pytest.raises(ValueError, match="0 x 5"):
        frame_size(0, 5, 320)


def test_eight_bits_come_back() -> None:
    pixels = np.arange(256 * 3, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 3)
    np.testing.assert_array_equal(to_uint8(from_uint8(pixels)), pixels)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (np.full((2, 2, 3), 255.0, np.float32), r"found \[255, 255\]"),
        (np.full((2, 2, 3), -0.1, np.float32), r"found \[-0.1, -0.1\]"),
        (np.full((2, 2, 3), np.nan, np.float32), r"found \[nan, nan\]"),
        (np.zeros((2, 2), np.float32), r"found \(2, 2\)"),
        (np.zeros((0, 2, 3), np.float32), r"found \(0, 2, 3\)"),
        (np.zeros((2, 2, 3), np.uint8), "found uint8"),
    ],
)
def test_what_is_no_picture_is_named(wrong: npt.NDArray[Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        to_uint8(wrong)


@pytest.mark.parametrize("size", [(30, 40), (45, 60), (7, 11), (120, 160)])
def test_masks_keep_pixels_covered_by_half(size: tuple[int, int]) -> None:
    """Shares are counted on a grid that both sizes divide."""
    mask = np.random.default_rng(5).random((60, 80)) < 0.5
    mask[:, 40:] = False
    mask[10:50, 50:75] = True
    rows, columns = np.lcm(60, size[0]), np.lcm(80, size[1])
    fine = np.repeat(np.repeat(mask, rows // 60, axis=0), columns // 80, axis=1)
    share = fine.reshape(size[0], rows // size[0], size[1], columns // size[1]).mean(axis=(1, 3))
    found = mask_to_frame(mask, size)
    clear = np.abs(share - 0.5) > 1e-4
    np.testing.assert_array_equal(found[clear], share[clear] >= 0.5)


def test_a_thin_object_does_not_vanish() -> None:
    mask = np.zeros((100, 100), np.bool_)
    assert not mask_to_frame(mask, (10, 10)).any()
    mask[33, 57] = True
    assert np.argwhere(mask_to_frame(mask, (10, 10))).tolist() == [[3, 5]]


@pytest.mark.parametrize("new", [(30, 40), (15, 20), (48, 64)])
def test_a_box_takes_every_pixel_that_it_touches(new: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        left, top = rng.uniform(-5, 35, 2)
        width, height = rng.uniform(0, 20, 2)
        found = box_to_frame((left, top, width, height), (30, 40), new)
        scale = new[0] / 30
        for row, column in np.ndindex(new):
            down = min((row + 1) / scale, top + height) - max(row / scale, top)
            across = min((column + 1) / scale, left + width) - max(column / scale, left)
            if min(abs(down), abs(across)) > 1e-4:
                assert found[row, column] == (down > 0 and across > 0)
    assert box_to_frame((2, 3, 4, 5), (30, 40), (30, 40)).sum() == 20
    assert not box_to_frame((2, 3, 0, 5), (30, 40), (30, 40)).any()
    assert not box_to_frame((41, 3, 4, 5), (30, 40), (30, 40)).any()
