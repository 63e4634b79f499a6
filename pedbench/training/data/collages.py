"""Training pictures for detectors: scenes and tile-like parts of scenes, side by side on a grey square."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pedbench.base import MARGIN
from pedbench.models.hub.detection import GREY
from pedbench.training.data.packing import PackedScenes

WHOLE = 0.7
"""Probability that a collage begins with a whole scene."""

EMPTY = 0.3
"""Probability of an empty place: a single tile has nothing next to it."""

_SHOWN = 0.35
"""Minimum share of an object's pixels in a part for the object to count."""

_LEAST = 100
"""Minimum pixels of an object in a part for the object to count."""

_SMALLEST, _LARGEST = 48, 208
"""Range of the sides of parts in pixels."""


@dataclass(frozen=True, kw_only=True)
class Collage:
    """A picture with its objects.

    Attributes:
        picture: (S, S, 3) uint8.
        categories: (n,) category index of each object.
        boxes: (n, 4) x, y, width and height in pixels.
    """

    picture: npt.NDArray[np.uint8]
    categories: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float32]


def draw_collage(scenes: PackedScenes, first: int, side: int, rng: np.random.Generator) -> Collage:
    """Draw a collage: rows of parts, each padded with its edge as in `privacy.pieces.magnify`.

    Args:
        scenes: The training scenes.
        first: Index of the first scene; the others are random.
        side: Side of the square in pixels.
        rng: Source of all other random choices.
    """
    picture = np.full((side, side, 3), round(GREY * 255), np.uint8)
    categories: list[int] = []
    boxes: list[tuple[float, ...]] = []
    top, index = 0, first
    while side - top >= _SMALLEST + 2 * MARGIN:
        left, shelf = 0, 0
        whole = top == 0 and rng.random() < WHOLE
        height = int(rng.integers(_SMALLEST, min(_LARGEST, side - top - 2 * MARGIN) + 1))
        while side - left >= _SMALLEST + 2 * MARGIN:
            frame = (int(scenes.sizes[index, 0]), int(scenes.sizes[index, 1]))
            width = int(rng.integers(_SMALLEST, min(_LARGEST, side - left - 2 * MARGIN) + 1))
            size = frame if whole else (min(height, frame[0]), min(width, frame[1]))
            y, x = (int(rng.integers(frame[axis] - size[axis] + 1)) for axis in (0, 1))
            if whole or rng.random() >= EMPTY:
                part = _part(scenes, index, (y, x), size, rng)
                place = np.s_[top : top + size[0] + 2 * MARGIN, left : left + size[1] + 2 * MARGIN]
                picture[place] = np.pad(part.picture, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), "edge")
                categories += part.categories.tolist()
                boxes += [(left + MARGIN + b[0], top + MARGIN + b[1], b[2], b[3]) for b in part.boxes]
            left += size[1] + 2 * MARGIN
            shelf = max(shelf, size[0] + 2 * MARGIN)
            whole, index = False, int(rng.integers(len(scenes)))
        top += shelf
    return Collage(
        picture=picture,
        categories=np.array(categories, np.int64),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
    )


def _part(
    scenes: PackedScenes, index: int, start: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
) -> Collage:
    """Crop a scene, with random mirroring and light."""
    place = np.s_[start[0] : start[0] + size[0], start[1] : start[1] + size[1]]
    pixels, labels = scenes.images[index][place], scenes.labels[index][place]
    if rng.random() < 0.5:
        pixels, labels = pixels[:, ::-1], labels[:, ::-1]
    gain, offset = rng.uniform(0.8, 1.2) * rng.uniform(0.93, 1.07, 3), rng.uniform(-10, 10)
    levels = np.arange(256)[:, None] * gain + offset
    lit = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    whole = np.bincount(scenes.labels[index].ravel(), minlength=256)
    counts = np.bincount(labels.ravel(), minlength=256)
    categories, boxes = [], []
    for number, slices in enumerate(ndimage.find_objects(labels), 1):
        if slices is None or counts[number] < max(_LEAST, _SHOWN * whole[number]):
            continue
        rows, columns = slices
        categories.append(int(scenes.categories[index, number - 1]))
        boxes.append((columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start))
    return Collage(
        picture=np.stack([lit[pixels[..., channel], channel] for channel in range(3)], axis=2),
        categories=np.array(categories, np.int64),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
    )
