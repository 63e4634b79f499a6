"""Training pictures as memory-mapped arrays: fast batches in constant memory."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy import ndimage

from pedbench.data.coco_masks import decode_segmentation
from pedbench.training.data.pictures import Pictures, order, vary

MAX_INSTANCES = 32
"""Maximum instances per picture; a pixel's label is 1 + its instance's index, 0 is background."""


@dataclass(frozen=True, kw_only=True)
class PackedScenes:
    """Pictures of a COCO folder on square canvases, with instance labels of their pixels.

    Attributes:
        images: (N, S, S, 3) uint8, zero beyond the picture.
        labels: (N, S, S) uint8, 0 for background and padding, else 1 + the instance's index.
        sizes: (N, 2) int, height and width of each picture.
        counts: (N,) number of instances.
        categories: (N, MAX_INSTANCES) int, category index of each instance.
        centres: (N, MAX_INSTANCES, 2) float, x and y of each instance's pixel farthest from its border.
        category_names: Names by category index.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    categories: npt.NDArray[np.int64]
    centres: npt.NDArray[np.float32]
    category_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.counts)

    def draw(self, *, size: int, seed: int, step: int) -> Pictures:
        """Make the batch of one step, with random mirroring and light."""
        rng = np.random.default_rng((seed, 1, step))
        canvas = self.images.shape[1]
        images = np.zeros((size, canvas, canvas, 3), np.float32)
        inside = np.zeros((size, 1, canvas, canvas), np.float32)
        sizes = []
        for place, index in enumerate(order(len(self), size, seed, step)):
            height, width = (int(length) for length in self.sizes[index])
            varied = vary(self.images[index, :height, :width], rng)
            images[place, :height, :width] = varied / np.float32(255)
            inside[place, :, :height, :width] = 1
            sizes.append((height, width))
        return Pictures(
            images=torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),
            inside=torch.from_numpy(inside),
            sizes=tuple(sizes),
            rng=rng,
        )

    def unaltered(self, first: int, last: int) -> Pictures:
        """Return unchanged pictures for validation, with a generator seeded by the first index."""
        images = torch.from_numpy(self.images[first:last].astype(np.float32) / np.float32(255))
        inside = torch.zeros(last - first, 1, *images.shape[1:3])
        sizes = tuple((int(height), int(width)) for height, width in self.sizes[first:last])
        for place, (height, width) in enumerate(sizes):
            inside[place, :, :height, :width] = 1
        return Pictures(
            images=images.permute(0, 3, 1, 2).contiguous(),
            inside=inside,
            sizes=sizes,
            rng=np.random.default_rng((0, 2, first)),
        )


def _instances(
    annotations: list[dict[str, Any]],
    category_index: dict[int, int],
    size: tuple[int, int],
    labels: npt.NDArray[np.uint8],
) -> tuple[list[int], list[tuple[float, float]]]:
    """Write the instances into `labels`; return their categories and centres."""
    categories: list[int] = []
    centres: list[tuple[float, float]] = []
    for annotation in annotations[:MAX_INSTANCES]:
        mask = decode_segmentation(annotation["segmentation"], size)
        labels[: size[0], : size[1]][mask] = len(categories) + 1
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        distance = ndimage.distance_transform_edt(np.pad(box, 1))
        y, x = np.unravel_index(int(distance.argmax()), distance.shape)
        categories.append(category_index[annotation["category_id"]])
        centres.append((float(columns[0] + x) - 1, float(rows[0] + y) - 1))
    return categories, centres


def pack(root: Path, canvas: int, progress: Callable[[int, int], None] | None = None) -> PackedScenes:
    """Pack a COCO folder (`images/`, `annotations/instances.json`) on first use, and map the arrays.

    Args:
        root: The folder; the arrays are in its subfolder `packed-<canvas>`.
        canvas: Side of the square canvas in pixels.
        progress: Called with (pictures done, pictures in all).
    """
    document = json.loads((root / "annotations" / "instances.json").read_text())
    entries = document["images"]
    target = root / f"packed-{canvas}"
    names = tuple(category["name"] for category in document["categories"])
    if not (target / "done").exists():
        target.mkdir(exist_ok=True)
        by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in document["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
        index = {category["id"]: place for place, category in enumerate(document["categories"])}
        count = len(entries)
        new = np.lib.format.open_memmap
        images = new(target / "images.npy", "w+", np.uint8, (count, canvas, canvas, 3))
        labels = new(target / "labels.npy", "w+", np.uint8, (count, canvas, canvas))
        sizes, counts = np.zeros((count, 2), np.int64), np.zeros(count, np.int64)
        categories = np.zeros((count, MAX_INSTANCES), np.int64)
        centres = np.zeros((count, MAX_INSTANCES, 2), np.float32)
        for place, entry in enumerate(entries):
            with Image.open(root / "images" / entry["file_name"]) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            height, width = pixels.shape[:2]
            images[place, :height, :width] = pixels
            found = _instances(by_image[entry["id"]], index, (height, width), labels[place])
            sizes[place], counts[place] = (height, width), len(found[0])
            categories[place, : counts[place]] = found[0]
            centres[place, : counts[place]] = found[1]
            if progress is not None:
                progress(place + 1, count)
        images.flush()
        labels.flush()
        for name, array in (
            ("sizes", sizes),
            ("counts", counts),
            ("categories", categories),
            ("centres", centres),
        ):
            np.save(target / f"{name}.npy", array)
        (target / "done").touch()
    arrays = {
        name: np.load(target / f"{name}.npy", mmap_mode="r" if name in ("images", "labels") else None)
        for name in ("images", "labels", "sizes", "counts", "categories", "centres")
    }
    return PackedScenes(**arrays, category_names=names)
