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
