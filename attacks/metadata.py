"""Guesses from traffic metadata alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from pedbench.base import Attack, Calibration
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Metadata(Attack):
    """Guess from traffic without content: the mean picture of the frame's shape.

    Servers, times, operations and lengths of messages follow from the public code and the frame's size, so
    for a defense that sends fixed formats they add nothing. The guess is the mean of the prior's pictures in
    the frame's shape, shrunk towards the mean colour as far as each of them is explained by the others. The
    calibration requires only the score of the best blind floor: no defense here allows more.

    Attributes:
        side: Longest side in pixels of the copies that are averaged; detail does not survive averaging.
    """

    name = "metadata"
    version = 1
    cite = "James and Stein, Estimation with Quadratic Loss, 1961, on drawing a mean towards a common one"
    needs = frozenset({"nothing", "metadata"})
    calibration = Calibration(defense="random_payload", metric="leakage[RMSE]", region="whole", least=0)

    side: int = 16

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"side is at least 1, found {self.side}")

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        height, width = view.frame_size
        scale = min(1.0, self.side / max(height, width))
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        copies = [_fit(picture, small) for picture in view.prior.pictures]
        deviations = np.stack(copies) - view.prior.mean_colour
        others = (deviations.sum(axis=0) - deviations) / max(len(copies) - 1, 1)
        explained = float((deviations * others).sum() / max(np.square(others).sum(), 1e-9))
        mean = view.prior.mean_colour + np.clip(explained, 0, 1) * deviations.mean(axis=0)
        planes = [
            Image.fromarray(mean[..., channel].astype(np.float32)).resize(
                (width, height), Image.Resampling.BICUBIC
            )
            for channel in range(3)
        ]
        guess: Picture = np.clip(np.stack([np.asarray(plane) for plane in planes], axis=2), 0, 1)
        return guess


def _fit(picture: Picture, size: tuple[int, int]) -> Picture:
    """Crop the largest centred part in the shape of `size`, (width, height), and reduce it to that size."""
    image = Image.fromarray(to_uint8(picture))
    return from_uint8(np.asarray(ImageOps.fit(image, size, Image.Resampling.BOX)))
