"""Batches of scenes, a pure function of (seed, step): resuming needs no state of a reader."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pedbench.training.data.degrading import Degrade
from pedbench.training.data.packing import PackedScenes
from pedbench.training.data.pictures import order
from pedbench.training.data.prompting import Prompts


@dataclass(frozen=True, kw_only=True)
class Batch:
    """B pictures with P prompted objects each.

    Attributes:
        images: (B, 3, S, S) float32 in [0, 255].
        sharp: The images before degradation.
        inside: (B, 1, S, S) 1 on the picture, 0 on its padding.
        clicks: One click in each object.
        boxes: Each object's box instead.
        targets: (B * P, S / 4, S / 4) share of each cell covered by the object.
        valid: (B * P,) 0 for prompts of pictures without objects, else 1.
        category: (B, S / 4, S / 4) 1 + category index of each cell, 0 for background.
        offset: (B, 2, S / 4, S / 4) x and y from each cell to its object's centre, in eighths of the canvas.
    """

    images: Tensor
    sharp: Tensor
    inside: Tensor
    clicks: Prompts
    boxes: Prompts
    targets: Tensor
    valid: Tensor
    category: Tensor
    offset: Tensor
    generator_seed: int

    def to(self, device: str) -> Batch:
        """Return a copy of the batch on a device."""

        def moved(value: Any) -> Any:
            if isinstance(value, Prompts):
                return Prompts(points=value.points.to(device), labels=value.labels.to(device))
            return value.to(device) if isinstance(value, Tensor) else value

        return Batch(**{f.name: moved(getattr(self, f.name)) for f in fields(self)})


@dataclass(frozen=True, kw_only=True)
class _Example:
    image: npt.NDArray[np.float32]
    sharp: npt.NDArray[np.float32]
    inside: npt.NDArray[np.float32]
    points: npt.NDArray[np.float32]
    boxes: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    valid: npt.NDArray[np.float32]
    category: npt.NDArray[np.int64]
    offset: npt.NDArray[np.float32]


def _example(
    scenes: PackedScenes, index: int, prompts: int, rng: np.random.Generator, degrade: Degrade | None
) -> _Example:
    height, width = scenes.sizes[index]
    canvas = scenes.images.shape[1]
    image = scenes.images[index].astype(np.float32)
    labels = scenes.labels[index].copy()
    centres = scenes.centres[index].copy()
    count = int(scenes.counts[index])
    if rng.random() < 0.5:
        image[:height, :width] = image[:height, :width][:, ::-1]
        labels[:height, :width] = labels[:height, :width][:, ::-1].copy()
        centres[:, 0] = width - 1 - centres[:, 0]
    # Variation of light and camera: a gain per channel around a common one, and an offset.
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3)
    image[:height, :width] = np.clip(image[:height, :width] * gain + rng.uniform(-12, 12), 0, 255)
    sharp = image.copy()
    if degrade is not None:
        image[:height, :width] = degrade(image[:height, :width] / np.float32(255), rng) * 255
    inside = np.zeros((canvas, canvas), np.float32)
    inside[:height, :width] = 1

    points, boxes = np.zeros((prompts, 2), np.float32), np.zeros((prompts, 4), np.float32)
    targets = np.zeros((prompts, canvas // 4, canvas // 4), np.float32)
    valid = np.zeros(prompts, np.float32)
    rounds = -(-prompts // count) if count else 0
    order = [int(instance) for _ in range(rounds) for instance in rng.permutation(count)]
    for place, instance in enumerate(order[:prompts]):
        mask = labels == instance + 1
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows) == 0:
            continue
        if rng.random() < 0.6:
            points[place] = centres[instance]
        else:
            inner = np.flatnonzero(mask)
            points[place] = np.divmod(inner[rng.integers(len(inner))], canvas)[::-1]
        corners = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
        side = np.tile(corners[2:] - corners[:2], 2)
        boxes[place] = corners + rng.normal(0, 0.03, 4) * side
        targets[place] = mask.reshape(canvas // 4, 4, canvas // 4, 4).mean((1, 3))
        valid[place] = 1

    coarse = labels[2::4, 2::4].astype(np.int64)
    table = np.concatenate([[0], scenes.categories[index] + 1])
    grid = np.stack(np.meshgrid(np.arange(canvas // 4), np.arange(canvas // 4)), 0) * 4 + 1.5
    middle = np.concatenate([np.zeros((1, 2), np.float32), centres])[coarse].transpose(2, 0, 1)
    return _Example(
        image=image.transpose(2, 0, 1),
        sharp=sharp.transpose(2, 0, 1),
        inside=inside[None],
        points=points,
        boxes=boxes,
        targets=targets,
        valid=valid,
        category=table[coarse],
        offset=((middle - grid) / (canvas / 8)).astype(np.float32),
    )


def make_batch(
    scenes: PackedScenes,
    *,
    size: int,
    prompts: int,
    seed: int,
    step: int,
    degrade: Degrade | None = None,
) -> Batch:
    """Make the batch of one step; epochs are permutations from the seed.

    Args:
        scenes: The training scenes.
        size: Pictures in the batch.
        prompts: Prompted objects per picture.
        seed: Seed of all random choices.
        step: Index of the batch.
        degrade: Degradation of the pictures; None to leave them sharp.
    """
    rng = np.random.default_rng((seed, 1, step))
    examples = [_example(scenes, int(i), prompts, rng, degrade) for i in order(len(scenes), size, seed, step)]

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(example, name) for example in examples]))

    count = size * prompts
    points = stacked("points").reshape(count, 1, 2)
    boxes = stacked("boxes").reshape(count, 2, 2)
    return Batch(
        images=stacked("image"),
        sharp=stacked("sharp"),
        inside=stacked("inside"),
        clicks=Prompts(
            points=torch.cat([points, torch.zeros(count, 1, 2)], dim=1),
            labels=torch.tensor([1, -1]).expand(count, 2),
        ),
        boxes=Prompts(points=boxes, labels=torch.tensor([2, 3]).expand(count, 2)),
        targets=stacked("targets").flatten(0, 1),
        valid=stacked("valid").flatten(),
        category=stacked("category"),
        offset=stacked("offset"),
        generator_seed=int(rng.integers(2**31)),
    )
