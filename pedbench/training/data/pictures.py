"""Batches of whole pictures for restoring networks, a pure function of (seed, step)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """B pictures on square canvases.

    Attributes:
        images: (B, 3, S, S) float32 in [0, 1], zero beyond the picture.
        inside: (B, 1, S, S) 1 on the picture, 0 on its padding.
        sizes: Height and width of each.
        rng: Source of all further random choices of a batch.
    """

    images: Tensor
    inside: Tensor
    sizes: tuple[tuple[int, int], ...]
    rng: np.random.Generator


def order(count: int, size: int, seed: int, step: int) -> npt.NDArray[np.int64]:
    """Return the indices of a step's pictures; epochs are permutations from the seed."""
    epoch, place = divmod(step, count // size)
    shuffled = np.random.default_rng((seed, 0, epoch)).permutation(count)
    return shuffled[place * size : (place + 1) * size]


def vary(pixels: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Mirror and light a picture (H, W, 3) at random; values stay integers in 0..255."""
    mirrored = rng.random() < 0.5
    return light(pixels[:, ::-1] if mirrored else pixels, rng)


def light(pixels: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Light a picture (H, W, 3) at random; values stay integers in 0..255."""
    picture = pixels.astype(np.float32)
    gain = rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, 3)
    # Rounded like frames, so that networks see no other values.
    lit: npt.NDArray[np.float32] = np.rint(
        np.clip(picture * gain.astype(np.float32) + rng.uniform(-8, 8), 0, 255)
    )
    return lit


def psnr(guess: Tensor, truth: Tensor, region: Tensor) -> list[float]:
    """Compute the peak signal-to-noise ratio in dB of each picture (B, 3, S, S) over its region (B, 1, S, S)."""
    squares = ((guess.clamp(0, 1) - truth) ** 2 * region).sum((1, 2, 3)) / (3 * region.sum((1, 2, 3)))
    return [float(value) for value in -10 * torch.log10(squares.clamp(min=1e-10))]
