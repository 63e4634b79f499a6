"""Crops around the objects of scenes, for networks that classify them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pedbench.training.data.packing import PackedScenes


def draw_crops(
    scenes: PackedScenes, *, side: int, count: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Draw crops around random objects, with random mirroring and light.

    Args:
        scenes: Scenes with at least one object each.
        side: Side of the crops in pixels.
        count: Number of crops.
        rng: Source of all random choices.

    Returns:
        Crops (count, side, side, 3) in [0, 255], and the (count,) category index of the object in the middle of each.
    """
    pixels = np.zeros((count, side, side, 3), np.float32)
    categories = np.zeros(count, np.int64)
    for place in range(count):
        index = int(rng.integers(len(scenes)))
        instance = int(rng.integers(scenes.counts[index]))
        centre = np.rint(scenes.centres[index, instance] + rng.uniform(-8, 8, 2)).astype(int)
        height, width = (int(length) for length in scenes.sizes[index])
        left, top = np.clip(centre - side // 2, 0, (width - side, height - side)).tolist()
        part = scenes.images[index, top : top + side, left : left + side]
        gain = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3)
        crop = np.clip(part * gain + rng.uniform(-12, 12), 0, 255)
        pixels[place] = crop[:, ::-1] if rng.random() < 0.5 else crop
        categories[place] = scenes.categories[index, instance]
    return pixels, categories
