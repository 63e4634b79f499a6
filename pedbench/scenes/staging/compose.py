"""Composition of placed items to one picture: pixel ownership, shadows and exposure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from pedbench.scenes.painting.lettering import OVERSAMPLING
from pedbench.scenes.staging.arrange import Item
from pedbench.scenes.staging.setting import Setting

LEAST_AREA = 36
"""Minimum visible pixels of an object; smaller ones are not painted."""

_LEAST_VISIBLE_OBJECT = 0.25
_CELL = 4


def assign_owners(items: Sequence[Item], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return (H, W) of the canvas: 1 + index of the visible item, 0 for background."""
    owners = Image.new("L", size)
    for k, item in enumerate(items):
        owners.paste(
            k + 1,
            (*item.corner, item.corner[0] + item.mask.width, item.corner[1] + item.mask.height),
            item.mask,
        )
    return np.asarray(owners)


def divide(
    items: Sequence[Item], owners: npt.NDArray[np.uint8]
) -> tuple[list[npt.NDArray[np.bool_]], list[int]]:
    """Return visible masks at the finished resolution and amodal areas; a pixel belongs to its largest item."""
    height, width = owners.shape[0] // OVERSAMPLING, owners.shape[1] // OVERSAMPLING
    most = np.ones((height, width), np.uint8)
    winner = np.zeros((height, width), np.uint8)
    amodal = [0] * len(items)
    for k in reversed(range(len(items))):
        item = items[k]
        x, y = item.corner
        crop = np.s_[y : y + item.mask.height, x : x + item.mask.width]
        small = np.s_[y // 2 : (y + item.mask.height) // 2, x // 2 : (x + item.mask.width) // 2]
        visible = _quarters(owners[crop] == k + 1)
        better = visible > most[small]
        most[small][better] = visible[better]
        winner[small][better] = k + 1
        amodal[k] = int((_quarters(np.asarray(item.mask) > 0) >= 2).sum())
    return [winner == k + 1 for k in range(len(items))], amodal


def _quarters(fine: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Count the set canvas pixels of each finished pixel, 0 to 4."""
    v = fine.view(np.uint8)
    return v[::2, ::2] + v[1::2, ::2] + v[::2, 1::2] + v[1::2, 1::2]


def whole_enough(mask: npt.NDArray[np.bool_], amodal: int) -> bool:
    area = int(mask.sum())
    if area < max(LEAST_AREA, _LEAST_VISIBLE_OBJECT * amodal):
        return False
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    pieces, count = ndimage.label(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], np.ones((3, 3)))
    if count == 1:
        return True
    largest = int(np.bincount(pieces.ravel())[1:].max())
    return largest >= max(LEAST_AREA, 0.4 * area)


def shade_ground(setting: Setting, items: Sequence[Item]) -> Image.Image:
    """Paint the objects' shadows and the dark creases on the background."""
    camera = setting.camera
    size = (camera.size[0] // _CELL, camera.size[1] // _CELL)
    near, far = Image.new("L", size), Image.new("L", size)
    for start, end in setting.creases:
        line = camera.outline([start, end, end])
        if len(line) >= 2:
            ImageDraw.Draw(far).line([(x / _CELL, y / _CELL) for x, y in line], fill=190, width=9)
    for item in items:
        for order, polygon in enumerate(item.shadow):
            points = [(x / _CELL, y / _CELL) for x, y in camera.outline(polygon)]
            if len(points) < 3:
                continue
            if order == 0:
                ImageDraw.Draw(near).polygon(points, fill=235)
            ImageDraw.Draw(far).polygon(points, fill=(220, 190, 120)[order])
    canvas = setting.background.copy()
    for shadow, blur, strength in ((far, 5.0, 0.42), (near, 1.6, 0.55)):
        soft = shadow.filter(ImageFilter.GaussianBlur(blur)).point(
            [int(level * strength) for level in range(256)]
        )
        canvas.paste((14, 12, 16), (0, 0), soft.resize(camera.size, Image.Resampling.BILINEAR))
    return canvas


def cast_shadow(canvas: Image.Image, item: Item) -> None:
    pad = 8
    width, height = item.mask.width + 2 * pad, item.mask.height + 2 * pad
    shadow = Image.new("L", (width, height))
    shadow.paste(110, (pad + 2, pad + 4), item.mask)
    shadow = shadow.filter(ImageFilter.GaussianBlur(3))
    canvas.paste((10, 10, 12), (item.corner[0] - pad, item.corner[1] - pad), shadow)


def develop(picture: Image.Image, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Apply a gradient of light, a tint and darker corners; return (H, W, 3) pixels."""
    pixels = np.asarray(picture, np.float64)
    height, width = pixels.shape[:2]
    x = ((np.arange(width) + 0.5) / width * 2 - 1)[None, :]
    y = ((np.arange(height) + 0.5) / height * 2 - 1)[:, None]
    slope_x, slope_y = float(rng.uniform(-0.13, 0.13)), float(rng.uniform(-0.1, 0.06))
    gain = (1.04 + slope_x * x + slope_y * y) * (1.0 - float(rng.uniform(0.03, 0.12)) * (x * x + y * y))
    warmth = float(rng.uniform(-0.06, 0.06))
    level = float(rng.uniform(0.9, 1.1))
    tint = np.array([level * (1 + warmth), level, level * (1 - warmth)])
    developed: npt.NDArray[np.uint8] = np.clip(pixels * gain[:, :, None] * tint + 0.5, 0, 255).astype(
        np.uint8
    )
    return developed
