"""A folder of pictures for fine-tuning: some are held out, batches are a function of (seed, step)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pedbench.data.coco import CocoFolder
from pedbench.data.readable import ReadableIds
from pedbench.errors import DatasetError
from pedbench.pictures.files import PictureError
from pedbench.pictures.frame import mask_to_frame, to_frame, to_uint8
from pedbench.registry import Registry
from pedbench.training.data.pictures import light, order
from pedbench.types import Mask, Sample
from pedbench.utility.prompts import innermost_pixel

CELL = 4
"""Side in canvas pixels of one pixel of the decoder's masks."""

INNERMOST = 0.6
"""Share of clicks at the innermost pixel of their object, like the first click of protocol `clicks`."""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """B frames on square canvases.

    Attributes:
        images: (B, 3, S, S) uint8, zero beyond the frame.
        sizes: Height and width of each frame in pixels.
        points: (B, P, 2) x, y of a click, in pixels of the canvas: in an object if there is one, else anywhere on the
            frame.
        targets: (B, P, S / 4, S / 4) share of each cell that the clicked object covers; zero without objects.
    """

    images: Tensor
    sizes: tuple[tuple[int, int], ...]
    points: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.sizes)

    def part(self, first: int, last: int) -> Frames:
        """Return the frames from one index to another."""
        return Frames(
            images=self.images[first:last],
            sizes=self.sizes[first:last],
            points=self.points[first:last],
            targets=self.targets[first:last],
        )

    def pixels(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return the images as floats in 0..255, and (B, 1, S, S) 1 on the frame, 0 on its padding."""
        inside = torch.zeros(len(self), 1, *self.images.shape[2:], device=device)
        for place, (height, width) in enumerate(self.sizes):
            inside[place, :, :height, :width] = 1
        return self.images.to(device).float(), inside


class Photographs:
    """The pictures of a folder, some of which are held out for validation.

    An unreadable picture is replaced by the next readable one and listed in `left_out`.

    Args:
        images: The folder, including its subfolders.
        annotations: COCO's instances file of pictures in it; then only annotated pictures are held out.
        held_out: Number of validation pictures, a random choice by the seed.
        seed: Seed of the choice and of the batches.
        say: Called once for each unreadable picture.

    Raises:
        DatasetError: The folder is missing, has too few pictures, or the instances file is unusable.
    """

    def __init__(
        self,
        images: Path,
        annotations: Path | None,
        *,
        held_out: int,
        seed: int,
        say: Callable[[str], None] = print,
    ) -> None:
        if not images.is_dir():
            raise DatasetError(f"there is no folder {images}: name a folder of pictures with --images.")
        self._folder: Any = Registry().create("datasets", "folder", {"data": str(images)})
        self._annotated = CocoFolder(images, annotations) if annotations is not None else None
        self._seed, self._say = seed, say
        self.left_out: dict[str, str] = {}
        self.held_out: Sequence[str] = self._draw(held_out)
        self._ids_by_name: dict[Any, str] = {}
        reserved = set(self.held_out)
        if self._annotated is not None:
            self._ids_by_name = {name: id for id, name in self._annotated.file_names.items()}
            reserved = {self._annotated.file_names[id] for id in self.held_out}
        self.ids = [id for id in self._folder.paths if id not in reserved]
        self.revision: str = self._folder.revision
        if self._annotated is not None:
            self.revision += f", annotations {self._annotated.digest}"

    @property
    def annotated(self) -> bool:
        return self._annotated is not None

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the annotations' categories.

        Raises:
            DatasetError: There are no annotations, or pictures to train on that they do not list.
        """
        unlisted = [id for id in self.ids if id not in self._ids_by_name]
        if self._annotated is None or unlisted:
            found = (
                f"{unlisted[0]} is not listed" if self._annotated and unlisted else "there are no annotations"
            )
            raise DatasetError(f"{found}: name the instances file of all pictures with --annotations.")
        return self._annotated.categories

    def training_sample(self, index: int) -> Sample:
        """Return a picture to train on with its annotations, or the next readable one."""
        return self._readable(index, objects=True)

    def _draw(self, count: int) -> list[str]:
        listed = list(self._folder.paths) if self._annotated is None else list(self._annotated.candidates)
        shuffled = [
            listed[place] for place in np.random.default_rng((self._seed, 2)).permutation(len(listed))
        ]
        readable = ReadableIds(shuffled, self.sample)
        chosen = readable[:count]
        if len(chosen) < count:
            hint = next(iter(readable.left_out.values()), "There are no more.")
            raise DatasetError(
                f"found {len(chosen)} pictures to hold out, expected {count}; add pictures or lower --held-out. {hint}"
            )
        return chosen

    def sample(self, id: str) -> Sample:
        """Return a held-out picture, with its annotations if there are any."""
        found: Sample = (self._annotated or self._folder).sample(id)
        return found

    def batch(
        self,
        step: int,
        *,
        size: int,
        part: slice,
        canvas: int,
        points: int,
        objects: bool = False,
        readers: int = 4,
    ) -> Frames:
        """Read the frames of one step, with random mirroring and light.

        Args:
            step: Index of the batch; epochs are permutations from the seed.
            size: Pictures per step.
            part: The part of the step's pictures to read.
            canvas: Longest side of a frame in pixels.
            points: Clicks per frame.
            objects: Whether clicks lie in annotated objects and `targets` are filled.
            readers: Number of reading threads.
        """
        places = list(enumerate(order(len(self.ids), size, self._seed, step).tolist()))[part]
        images = np.zeros((len(places), canvas, canvas, 3), np.uint8)
        clicks = np.zeros((len(places), points, 2), np.float32)
        covered = np.zeros((len(places), points, canvas // CELL, canvas // CELL), np.float32)

        def fill(slot: int) -> tuple[int, int]:
            place, index = places[slot]
            rng = np.random.default_rng((self._seed, 1, step, place))
            sample = self._readable(index, objects=objects)
            pixels = to_uint8(to_frame(sample.image, canvas))
            height, width = pixels.shape[:2]
            mirrored = rng.random() < 0.5
            images[slot, :height, :width] = light(pixels[:, ::-1] if mirrored else pixels, rng)
            clicks[slot] = rng.random((points, 2)) * (width, height) - 0.5
            if objects:
                masks = [
                    mask_to_frame(each.mask, (height, width)) for each in sample.instances if not each.crowd
                ]
                masks = [mask[:, ::-1] if mirrored else mask for mask in masks]
                click_objects([mask for mask in masks if mask.any()], clicks[slot], covered[slot], rng)
            return height, width

        with ThreadPoolExecutor(readers) as pool:
            sizes = tuple(pool.map(fill, range(len(places))))
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        return Frames(
            images=pixels, sizes=sizes, points=torch.from_numpy(clicks), targets=torch.from_numpy(covered)
        )

    def _readable(self, index: int, *, objects: bool) -> Sample:
        """Return a picture or the next readable one, with its annotations if `objects`."""
        for offset in range(len(self.ids)):
            id = self.ids[(index + offset) % len(self.ids)]
            try:
                annotated = self._annotated if objects and id in self._ids_by_name else None
                found: Sample = (
                    annotated.sample(self._ids_by_name[id]) if annotated else self._folder.sample(id)
                )
                return found
            except PictureError as error:
                if id not in self.left_out:
                    self.left_out[id] = str(error)
                    self._say(f"left out and replaced by the next picture: {error}")
        raise DatasetError("none of the pictures to train on can be read: name another folder with --images.")


def click_objects(
    masks: Sequence[Mask],
    points: npt.NDArray[np.float32],
    covered: npt.NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """Place clicks in the objects of a frame, equally often in each; without objects nothing changes.

    Args:
        masks: (h, w) each, not empty.
        points: (P, 2) output: x, y of the clicks.
        covered: (P, H, W) output: share of each cell that the clicked object covers.
        rng: Chooses the objects and the places in them.
    """
    if not masks:
        return
    rounds = -(-len(points) // len(masks))
    order = [int(place) for _ in range(rounds) for place in rng.permutation(len(masks))]
    for slot, place in enumerate(order[: len(points)]):
        mask = masks[place]
        inner = np.argwhere(mask)
        chosen = inner[rng.integers(len(inner))][::-1]
        points[slot] = innermost_pixel(mask) if rng.random() < INNERMOST else chosen
        canvas = np.zeros((covered.shape[1] * CELL, covered.shape[2] * CELL), np.float32)
        canvas[: mask.shape[0], : mask.shape[1]] = mask
        covered[slot] = canvas.reshape(covered.shape[1], CELL, covered.shape[2], CELL).mean((1, 3))
