"""Pictures of a folder on the canvas of an attacker's network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pedbench.inversion.resizing import resize
from pedbench.pictures.frame import to_frame
from pedbench.training.data.photographs import Photographs
from pedbench.training.data.pictures import Pictures


@dataclass(frozen=True, kw_only=True)
class PhotographPictures:
    """Frames of a folder's pictures, resized with their canvas; `len` counts those held out.

    Attributes:
        photographs: The pictures.
        frame: Longest side of the frames in pixels.
        canvas: Side in pixels of the square canvas around the frames.
        side: Side in pixels of the canvas after resizing.
    """

    photographs: Photographs
    frame: int
    canvas: int
    side: int

    def __len__(self) -> int:
        return len(self.photographs.held_out)

    def draw(self, *, size: int, seed: int, step: int, part: slice = slice(None)) -> Pictures:
        """Return pictures of one step, with random mirroring and light.

        Args:
            size: Pictures per step.
            seed: Seed of the random choices that follow; the pictures' own is that of `photographs`.
            step: Index of the step.
            part: The part of the step's pictures.
        """
        frames = self.photographs.batch(step, size=size, part=part, canvas=self.frame, points=0)
        images = [
            image[:, :height, :width]
            for image, (height, width) in zip(frames.images, frames.sizes, strict=True)
        ]
        return self._on_canvas(images, np.random.default_rng((seed, 3, step, part.start or 0)))

    def unaltered(self, first: int, last: int) -> Pictures:
        """Return held-out pictures, with a generator seeded by the first index."""
        frames = [
            to_frame(self.photographs.sample(id).image, self.frame)
            for id in self.photographs.held_out[first:last]
        ]
        images = [
            torch.from_numpy(np.rint(frame * 255).astype(np.uint8)).permute(2, 0, 1) for frame in frames
        ]
        return self._on_canvas(images, np.random.default_rng((0, 4, first)))

    def _on_canvas(self, images: Iterable[Tensor], rng: np.random.Generator) -> Pictures:
        """Place (3, h, w) uint8 frames in the top left corner of canvases."""
        placed, insides, sizes = [], [], []
        for image in images:
            height, width = int(image.shape[1]), int(image.shape[2])
            margin = (0, self.canvas - width, 0, self.canvas - height)
            # The frame's border is continued, so that resizing does not darken it.
            whole = functional.pad((image.float() / 255)[None], margin, mode="replicate")[0]
            rows, columns = (self._covered(length) for length in (height, width))
            inside = (rows[:, None] * columns)[None]
            placed.append(resize(whole, (self.side, self.side)) * inside)
            insides.append(inside)
            sizes.append((height, width))
        return Pictures(images=torch.stack(placed), inside=torch.stack(insides), sizes=tuple(sizes), rng=rng)

    def _covered(self, length: int) -> Tensor:
        """Return (side,) 1 for pixels whose centre lies in the first `length` pixels of the canvas, else 0."""
        centres = (torch.arange(self.side) + 0.5) * self.canvas / self.side
        return (centres < length).float()
