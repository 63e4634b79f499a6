"""Scenes through a camera that pans from request to request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pedbench.base import Dataset
from pedbench.data.readable import FileDataset
from pedbench.plugins.datasets.scenes import Scenes
from pedbench.types import Picture, Sample


@dataclass(kw_only=True)
class PanningScenes(Dataset):
    """Scenes through a camera that pans to the right: each request shows four fifths of one, a step further on.

    The whole picture moves by whole pixels, without parallax, blur or fresh noise: the best case for an
    attacker who combines requests.

    Attributes:
        split, count, seed: Parameters of the dataset `scenes`.
        step: Pixels of the scene from request to request; one and a quarter times as many in a frame.
        length: Number of requests with pictures.
    """

    name = "panning_scenes"
    version = 1
    annotated = False

    split: Literal["train", "val"] = "val"
    count: int = 200
    seed: int | None = None
    step: int = 16
    length: int = 4

    def __post_init__(self) -> None:
        if self.step < 1 or self.length < 1 or self.step * (self.length - 1) > 48:
            raise ValueError(
                "step and length are at least 1 and the way at most 48 pixels, a fifth of the narrowest scene; "
                f"found {self.length} pictures with steps of {self.step}"
            )

    @cached_property
    def scenes(self) -> FileDataset:
        """Whole scenes, of which the camera sees a part."""
        scenes: FileDataset = Scenes(split=self.split, count=self.count, seed=self.seed)
        return scenes

    @property
    def revision(self) -> str:
        return f"{self.scenes.revision}-{self.step}x{self.length}"

    @property
    def left_out(self) -> Mapping[str, str]:
        return self.scenes.left_out

    @property
    def locations(self) -> tuple[Path, ...]:
        return self.scenes.locations

    def ids(self) -> Sequence[str]:
        return self.scenes.ids()

    def __getitem__(self, index: int) -> Sample:
        scene = self.scenes[index]
        first, *later = [_part(scene.image, self.step * request) for request in range(self.length)]
        return Sample(id=scene.id, image=first, later=tuple(later))


def _part(scene: Picture, left: int) -> Picture:
    height, width = scene.shape[0] * 4 // 5, scene.shape[1] * 4 // 5
    top = (scene.shape[0] - height) // 2
    return scene[top : top + height, left : left + width].copy()
