"""Training of the network that sharpens pictures of degrading defenses (blur, pixelation, downsampling)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from pedbench.inversion.public_degradation import Degradation, known_degradation
from pedbench.models.attackers.sharpening import (
    SharpeningNetwork,
    SharpeningSizes,
    condition,
    sharpen,
)
from pedbench.models.attackers.sized import save_sized
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.registry import Registry
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import PictureCourse
from pedbench.training.data.pictures import Pictures, order
from pedbench.types import Picture

STRENGTHS = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Factors on the defenses' default strength, equally likely; half of the time the default is used."""


@dataclass(frozen=True, kw_only=True)
class SharpeningRecipe:
    """Recipe of the network, trained on crops of degraded scenes.

    Attributes:
        defenses: Names of defenses, with the parameter that sets their strength.
        sizes: Sizes of the network.
        crop: Side of the crops in pixels, even.
        frames: Scenes per step, each degraded in one way.
        batch: Crops per step, equally many of each scene.
        schedule: Steps and learning rate.
        seed: Seed of initialisation and batches.
    """

    defenses: tuple[tuple[str, str], ...] = (
        ("gaussian_blur", "sigma"),
        ("pixelate", "block"),
        ("downsample", "factor"),
    )
    sizes: SharpeningSizes = field(default_factory=SharpeningSizes)
    crop: int = 96
    frames: int = 4
    batch: int = 40
    schedule: Schedule
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Degraded:
    """Crops (B, 3, S, S) of pictures, degraded, linearly estimated and true, and their `sharpening.condition`."""

    degraded: Tensor
    estimate: Tensor
    truth: Tensor
    condition: Tensor


class SharpeningCourse(PictureCourse):
    """Trains a `SharpeningNetwork`."""

    def prepare(self, weights: Path) -> None:
        self.network.to(memory_format=torch.channels_last)
        registry = Registry()
        self._defenses: list[tuple[Any, str]] = [
            (registry.create("defenses", defense, {}), strength) for defense, strength in self.recipe.defenses
        ]

    def fresh(self) -> nn.Module:
        return SharpeningNetwork(self.recipe.sizes)

    def make_batch(self, step: int) -> Degraded:
        recipe: SharpeningRecipe = self.recipe
        rng = np.random.default_rng((recipe.seed, 1, step))
        indices = order(len(self.training), recipe.frames, recipe.seed, step).tolist()
        frames = (_frames(self.training.unaltered(index, index + 1))[0] for index in indices)
        return self._degraded((frame[:, ::-1] if rng.random() < 0.5 else frame for frame in frames), rng)

    def batch_of(self, pictures: Pictures) -> Degraded:
        side: int = self.recipe.crop
        # Frames narrower than a crop are continued by their mirror image.
        margins = [[(0, max(0, side - length)) for length in size] for size in pictures.sizes]
        frames = [
            np.pad(frame, (*margin, (0, 0)), mode="symmetric")
            for frame, margin in zip(_frames(pictures), margins, strict=True)
        ]
        return self._degraded(frames, pictures.rng)

    def _degraded(self, frames: Iterable[Picture], rng: np.random.Generator) -> Degraded:
        """Degrade each frame in one way and cut crops of it."""
        recipe: SharpeningRecipe = self.recipe
        parts: list[list[Any]] = [[], [], [], []]
        for frame in frames:
            defense, strength = self._defenses[rng.integers(len(self._defenses))]
            if rng.random() < 0.5:
                factor = float(rng.choice(STRENGTHS))
                defense = replace(defense, **{strength: getattr(defense, strength) * factor})
            degraded, known = degrade(defense, frame)
            estimate = known.estimate(degraded)
            for _ in range(recipe.batch // recipe.frames):
                top, left = (
                    2 * int(rng.integers((length - recipe.crop) // 2 + 1)) for length in frame.shape[:2]
                )
                place = np.s_[top : top + recipe.crop, left : left + recipe.crop]
                for found, picture in zip(parts, (degraded, estimate, frame), strict=False):
                    found.append(picture[place])
                parts[3].append(condition(known.kind, known.strength))
        pictures = [
            torch.from_numpy(np.stack(found))
            .permute(0, 3, 1, 2)
            .contiguous(memory_format=torch.channels_last)
            for found in parts[:3]
        ]
        return Degraded(
            degraded=pictures[0], estimate=pictures[1], truth=pictures[2], condition=torch.stack(parts[3])
        )

    def loss(self, step: int, batch: Degraded) -> tuple[Tensor, dict[str, float]]:
        truth = batch.truth.to(self.device)
        inputs = [part.to(self.device) for part in (batch.degraded, batch.estimate, batch.condition)]
        with self.autocast():
            correction = self.parallel(*inputs) - inputs[1]
        error = correction.float() + inputs[1] - truth
        square, absolute = error.square().mean(), error.abs().mean()
        before = (inputs[1] - truth).square().mean()
        gain = 10 * torch.log10(before / square.detach())
        return 4 * square + absolute, {"gain": float(gain), "absolute": float(absolute.detach())}

    def examine(self, network: nn.Module, pictures: Pictures) -> dict[str, list[float]]:
        """Return the gains in dB of PSNR over the linear estimate, at the defenses' default strengths."""
        return {
            f"dB gained on {defense.name}": [
                self._gain(network, defense, frame) for frame in _frames(pictures)
            ]
            for defense, _ in self._defenses
        }

    def _gain(self, network: nn.Module, defense: Any, frame: Picture) -> float:
        degraded, known = degrade(defense, frame)
        estimate = known.estimate(degraded)
        sharp = sharpen(cast(SharpeningNetwork, network), degraded, estimate, known.kind, known.strength)
        squares = [np.square(each - frame).mean() for each in (estimate, sharp)]
        return float(10 * np.log10(squares[0] / squares[1]))

    def save(self, network: nn.Module, path: Path) -> None:
        save_sized(network, path)


def _frames(pictures: Pictures) -> list[Picture]:
    """Return the pictures (H, W, 3) without their padding."""
    images = pictures.images.permute(0, 2, 3, 1).numpy()
    return [image[:height, :width] for image, (height, width) in zip(images, pictures.sizes, strict=True)]


def degrade(defense: Any, frame: Picture) -> tuple[Picture, Degradation]:
    """Return a frame as a server receives it, in 8 bits, and its degradation as attackers know it.

    Raises:
        ValueError: The defense's degradation is unknown.
    """
    degraded = from_uint8(to_uint8(defense.degrade(frame, np.random.default_rng(0))))
    size = (frame.shape[0], frame.shape[1])
    known = known_degradation({"defense": defense.name, "params": defense.params}, size, max(size))
    if known is None:
        raise ValueError(f"{defense!r}: nothing is known of how it degrades, so nothing can be undone")
    return degraded, known
