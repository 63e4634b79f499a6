"""Conversions from a picture to the model's frame and between 8-bit values and floats: the one place for both."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pedbench.types import Mask, Picture

Size = tuple[int, int]
"""Height and width in pixels."""

_ROUNDING = 1e-5
"""Distance by which float arithmetic may push a pixel out of [0, 1]."""


def frame_size(height: int, width: int, longest_side: int) -> Size:
    """Return the size of a picture's frame.

    Same as `segment_anything`'s `ResizeLongestSide.get_preprocess_shape`, except that a side which would vanish
    there (pictures hundreds of times longer than wide) keeps one pixel.

    Args:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        longest_side: Longest side of the frame in pixels.
    """
    if min(height, width, longest_side) < 1:
        raise ValueError(
            f"sizes are positive, found a picture of {height} x {width} and a longest side of {longest_side}"
        )
    scale = longest_side / max(height, width)
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def to_frame(image: Picture, longest_side: int) -> Picture:
    """Resize a picture as `segment_anything`'s `ResizeLongestSide.apply_image` does: in 8 bits, bilinear.

    Args:
        image: (H, W, 3) float32 in [0, 1].
        longest_side: Longest side of the frame in pixels.

    Returns:
        (h, w, 3) float32, every value a multiple of 1/255.

    Raises:
        ValueError: The shape, type or range is not that of a picture.
    """
    pixels = to_uint8(image)
    height, width = frame_size(pixels.shape[0], pixels.shape[1], longest_side)
    return from_uint8(np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)))


def resize_channels(
    planes: npt.NDArray[np.float32], size: Size, method: Image.Resampling
) -> npt.NDArray[np.float32]:
    """Resize each channel of (H, W, C) without rounding to 8 bits."""
    height, width = size
    channels = [
        Image.fromarray(channel).resize((width, height), method) for channel in np.moveaxis(planes, 2, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=2)


def to_uint8(picture: Picture) -> npt.NDArray[np.uint8]:
    """Round a float picture to 8 bits.

    Args:
        picture: (H, W, 3) floats in [0, 1].

    Raises:
        ValueError: The shape, type or range is not that of a picture; the message gives it.
    """
    check_picture(picture)
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def check_picture(picture: Picture) -> None:
    """Raise ValueError unless shape, type and range are those of a picture; the message gives what was found."""
    if not isinstance(picture, np.ndarray):
        raise ValueError(f"a picture is a NumPy array, found {type(picture).__name__}")
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"a picture has shape (H, W, 3), found {picture.shape}")
    if picture.dtype.kind != "f":
        raise ValueError(f"a picture has float values in [0, 1], found {picture.dtype}")
    low, high = float(picture.min()), float(picture.max())
    # Negated to refuse NaN, too.
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise ValueError(f"a picture's values lie in [0, 1], found [{low:.6g}, {high:.6g}]")


def from_uint8(pixels: npt.NDArray[np.uint8]) -> Picture:
    """Divide 8-bit values by 255.

    Args:
        pixels: (H, W, 3) uint8.

    Raises:
        ValueError: The shape or type differs.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"8-bit pixels are (H, W, 3) uint8, found {pixels.shape} {pixels.dtype}")
    # One step, without a copy: large pictures fill the memory.
    return np.divide(pixels, np.float32(255), dtype=np.float32)


def scale_points(points: npt.NDArray[Any], size: Size, new_size: Size) -> npt.NDArray[np.float64]:
    """Scale points from one picture size to another, like `ResizeLongestSide.apply_coords`.

    Args:
        points: (..., 2) x, y in pixels.
        size: Height and width before.
        new_size: Height and width after.
    """
    scale = np.array([new_size[1] / size[1], new_size[0] / size[0]])
    scaled: npt.NDArray[np.float64] = np.asarray(points, np.float64) * scale
    return scaled


def scale_boxes(boxes: npt.NDArray[Any], size: Size, new_size: Size) -> npt.NDArray[np.float64]:
    """Scale boxes (N, 4) of left, top, right, bottom; see `scale_points`."""
    return scale_points(boxes.reshape(-1, 2, 2), size, new_size).reshape(-1, 4)


def mask_to_frame(mask: Mask, size: Size) -> Mask:
    """Resize a mask to the frame: a pixel is set if at least half of it is covered.

    An object too thin to cover half of any pixel keeps the pixels that it covers most.

    Args:
        mask: (H, W) bool at the original resolution.
        size: Height and width of the frame.

    Returns:
        (h, w) bool, empty only for an empty mask.
    """
    if not mask.any():
        return np.zeros(size, np.bool_)
    share = _mean_over_cells(_mean_over_cells(mask.astype(np.float64), size[0]).T, size[1]).T
    covered: Mask = share >= min(0.5, float(share.max())) - _ROUNDING
    return covered


def box_to_frame(box: tuple[float, float, float, float], size: Size, new_size: Size) -> Mask:
    """Return the pixels of the frame that a box touches.

    Args:
        box: x, y, width, height in pixels of the original picture.
        size: Height and width of the original picture.
        new_size: Height and width of the frame.

    Returns:
        (h, w) bool; empty for a box without an area in the picture.
    """
    left, top, width, height = box
    corners = scale_boxes(np.array([[left, top, left + width, top + height]]), size, new_size)[0]
    low, high = corners[:2].clip(0), np.minimum(corners[2:], new_size[::-1])
    covered = np.zeros(new_size, np.bool_)
    if (low < high).all():
        # The tolerance keeps a box that ends between two pixels from touching a further one.
        first, last = np.floor(low + _ROUNDING).astype(int), np.ceil(high - _ROUNDING).astype(int)
        covered[first[1] : last[1], first[0] : last[0]] = True
    return covered


def _mean_over_cells(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """Average over `count` equal stretches of the first axis, which may end within an entry."""
    length = len(values)
    sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    edges = np.arange(count + 1) * length / count
    whole = np.minimum(edges.astype(np.int64), length - 1)
    up_to_edge = sums[whole] + (edges - whole)[:, None] * values[whole]
    means: npt.NDArray[np.float64] = np.diff(up_to_edge, axis=0) * (count / length)
    return means
