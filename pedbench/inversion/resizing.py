"""Resizing of pictures without rounding to 8 bits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def resize(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (C, h, w) values in [0, 1], bicubic with antialiasing."""
    if picture.shape[1:] == size:
        return picture
    resized = functional.interpolate(
        picture[None], size, mode="bicubic", antialias=True, align_corners=False
    )[0]
    return resized.clamp(0, 1)


def hidden_part(seen: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the pixels of a resized picture that are not entirely seen.

    Args:
        seen: (H, W) bool.
        size: Height and width of the resized picture.

    Returns:
        (h, w) bool.
    """
    return functional.adaptive_avg_pool2d(seen[None].double(), size)[0] < 1 - 1e-9
