"""Pictures without content, for times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pedbench.base import Dataset
from pedbench.types import Sample

_SHAPES = ((240, 320), (240, 320), (320, 240), (320, 320))


@dataclass(kw_only=True)
class PinkNoise(Dataset):
    """Noise with the spectrum of photographs, in the shapes of scenes: times depend on shapes, not on content.

    Attributes:
        count: Number of pictures; the first ones do not depend on it.
        seed: Seed of the noise.
    """

    name = "pink_noise"
    version = 1
    cite = "Field, Relations between the statistics of natural images and cortical cells, JOSA A 4, 1987"
    annotated: ClassVar[bool] = False

    count: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1 or self.seed < 0:
            raise ValueError(f"count is at least 1 and seed at least 0, found {self.count} and {self.seed}")

    @property
    def revision(self) -> str:
        return f"1-{self.seed}"

    @property
    def left_out(self) -> Mapping[str, str]:
        return {}

    def ids(self) -> Sequence[str]:
        return [f"{index:06d}" for index in range(self.count)]

    def __getitem__(self, index: int) -> Sample:
        id = self.ids()[index]
        height, width = _SHAPES[index % len(_SHAPES)]
        white = np.random.default_rng([self.seed, int(id)]).standard_normal((3, height, width))
        # Colours of a photograph differ less than its lights.
        white = white.mean(axis=0) + 0.3 * white
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
        frequency[0, 0] = np.inf
        pink = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=(height, width))
        levels = np.rint(np.clip(0.5 + pink / (6 * pink.std()), 0, 1) * 255)
        return Sample(id=id, image=np.moveaxis(levels, 0, 2).astype(np.float32) / 255)
