"""Distortions of crops with a known kind and strength, for a network that recognises them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

Crop = npt.NDArray[np.float32]
"""Square picture (S, S, 3) in [0, 255]."""

_GRID = 8
"""Random values along each side of a crop, between which a displacement is interpolated."""

_HOLE = 16
"""Side in pixels of the squares that `fill_holes` fills."""


def blur(crop: Crop, deviation: float, rng: np.random.Generator) -> Crop:
    """Blur with a Gaussian of `deviation` pixels."""
    blurred: Crop = ndimage.gaussian_filter(crop, (deviation, deviation, 0), mode="nearest", truncate=3)
    return blurred


def add_noise(crop: Crop, deviation: float, rng: np.random.Generator) -> Crop:
    """Add independent Gaussian noise of `deviation` grey levels."""
    noise = rng.standard_normal(crop.shape, np.float32)
    return np.clip(crop + np.float32(deviation) * noise, 0, 255)


def pixelate(crop: Crop, block: float, rng: np.random.Generator) -> Crop:
    """Average blocks of about `block` pixels."""
    side = len(crop)
    small = Image.fromarray(np.rint(crop).astype(np.uint8)).resize(
        [round(side / block)] * 2, Image.Resampling.BOX
    )
    return np.asarray(small.resize((side, side), Image.Resampling.NEAREST)).astype(np.float32)


def warp(crop: Crop, amplitude: float, rng: np.random.Generator) -> Crop:
    """Displace pixels smoothly, by `amplitude` pixels in standard deviation on a coarse grid."""
    side = len(crop)
    field = rng.standard_normal((2, _GRID, _GRID), np.float32) * amplitude
    moves = [
        np.asarray(Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC)) for each in field
    ]
    places = [start + move for start, move in zip(np.indices((side, side), np.float32), moves, strict=True)]
    channels = [ndimage.map_coordinates(crop[..., k], places, order=1, mode="nearest") for k in range(3)]
    return np.stack(channels, axis=2)


def fill_holes(crop: Crop, share: float, rng: np.random.Generator) -> Crop:
    """Replace a `share` of the crop's squares by a strong blur, as attackers fill what they did not see."""
    cells = -(-len(crop) // _HOLE)
    chosen = rng.permutation(cells**2).reshape(cells, cells) < round(share * cells**2)
    holes = chosen.repeat(_HOLE, 0).repeat(_HOLE, 1)[: len(crop), : len(crop), None]
    return np.where(holes, blur(crop, _HOLE / 2, rng), crop)


KINDS: dict[str, tuple[Callable[[Crop, float, np.random.Generator], Crop], tuple[float, ...]]] = {
    "blur": (blur, (0.7, 1.4, 2.8, 5.6)),
    "noise": (add_noise, (5, 12, 25, 50)),
    "blocks": (pixelate, (2, 4, 6, 10)),
    "warp": (warp, (1, 2, 4, 8)),
    "holes": (fill_holes, (0.1, 0.2, 0.4, 0.6)),
}
"""Functions of a crop, a strength and a generator, each with its strengths in ascending order."""

STRENGTHS = 4
"""Number of strengths of each kind."""
