"""A folder of pictures to fine-tune on: a part is held out, batches are a function of (seed, step)."""

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
"""Pixels of the canvas, each way, to one of the decoder's masks."""

INNERMOST = 0.6
"""Share of the clicks that go to the innermost pixel of their object, as the first click of `clicks` does."""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """B frames on square canvases.

    Attributes:
        images: (B, 3, S, S) uint8, zero beyond the frame.
        sizes: Height and width of each frame in pixels.
        points: (B, P, 2) x, y of a click, in pixels of the canvas: in an object if there is one, else anywhere on the
            frame.
        targets: (B, P, S / 4, S / 4) share of each cell that the clicked object covers; nothing without objects.
    """

    images: Tensor
    sizes: tuple[tuple[int, int], ...]
    points: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.sizes)

    def part(self, first: int, last: int) -> Frames:
        """The frames from one place to another."""
        return Frames(
            images=self.images[first:last],
            sizes=self.sizes[first:last],
            points=self.points[first:last],
            targets=self.targets[first:last],
        )

    def pixels(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The images as floats in 0..255, and (B, 1, S, S) 1 on the frame, 0 on its padding."""
        inside = torch.zeros(len(self), 1, *self.images.shape[2:], device=device)
        for place, (height, width) in enumerate(self.sizes):
            inside[place, :, :height, :width] = 1
        return self.images.to(device).float(), inside


class Photographs:
    """The pictures of a folder, some of which are held out.

    A picture that cannot be read is replaced by the next one that can, and named in `left_out`.

    Args:
        images: The folder; all pictures in it and its subfolders count.
        annotations: COCO's instances file of pictures in it; those held out are taken from these then.
        held_out: How many pictures to examine on, drawn from the seed.
        seed: Also of the batches.
        say: Told, once for each, of pictures that cannot be read.

    Raises:
        DatasetError: There is no such folder, too few pictures, or an unusable instances file.
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

    def _draw(self, count: int) -> list[str]:
        listed = list(self._folder.paths) if self._annotated is None else list(self._annotated.candidates)
        shuffled = [
            listed[place] for place in np.random.default_rng((self._seed, 2)).permutation(len(listed))
        ]
        readable = ReadableIds(shuffled, self.sample)
        chosen = readable[:count]
        if len(chosen) < count:
            why = next(iter(readable.left_out.values()), "There are no more.")
            raise DatasetError(
                f"found {len(chosen)} pictures to hold out, expected {count}; add pictures or lower --held-out. {why}"
            )
        return chosen

    def sample(self, id: str) -> Sample:
        """A picture that is held out, with its annotations if there are any."""
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
        """The frames of one step, mirrored and lit at random.

        Args:
            step: Which batch; epochs are permutations drawn from the seed.
            size: Pictures a step.
            part: Which of them to read.
            canvas: Longest side of a frame in pixels.
            points: Clicks a frame.
            objects: Whether they go to annotated objects, whose masks are wanted.
            readers: Threads that read.
        """
        places = list(enumerate(order(len(self.ids), size, self._seed, step).tolist()))[part]
        images = np.zeros((len(places), canvas, canvas, 3), np.uint8)
        drawn = np.zeros((len(places), points, 2), np.float32)
        covered = np.zeros((len(places), points, canvas // CELL, canvas // CELL), np.float32)

        def fill(slot: int) -> tuple[int, int]:
            place, index = places[slot]
            rng = np.random.default_rng((self._seed, 1, step, place))
            sample = self._readable(index, objects=objects)
            pixels = to_uint8(to_frame(sample.image, canvas))
            height, width = pixels.shape[:2]
            mirrored = rng.random() < 0.5
            images[slot, :height, :width] = light(pixels[:, ::-1] if mirrored else pixels, rng)
            drawn[slot] = rng.random((points, 2)) * (width, height) - 0.5
            if objects:
                masks = [
                    mask_to_frame(each.mask, (height, width)) for each in sample.instances if not each.crowd
                ]
                masks = [mask[:, ::-1] if mirrored else mask for mask in masks]
                click_objects([mask for mask in masks if mask.any()], drawn[slot], covered[slot], rng)
            return height, width

        with ThreadPoolExecutor(readers) as pool:
            sizes = tuple(pool.map(fill, range(len(places))))
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        return Frames(
            images=pixels, sizes=sizes, points=torch.from_numpy(drawn), targets=torch.from_numpy(covered)
        )

    def _readable(self, index: int, *, objects: bool) -> Sample:
        """A picture, or the next that can be read; with its annotations if objects are asked for."""
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
                    self._say(f"left out, the next picture stands in for it: {error}")
        raise DatasetError("none of the pictures to train on can be read: name another folder with --images.")


def click_objects(
    masks: Sequence[Mask],
    points: npt.NDArray[np.float32],
    covered: npt.NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """Click in objects of a frame, in each as often as in others; without objects nothing changes.

    Args:
        masks: (h, w), of which each covers a pixel at least.
        points: (P, 2) to be filled with x, y of the clicks.
        covered: (P, H, W) to be filled with the share of each cell that the clicked object covers.
        rng: Draws the objects and the places in them.
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
