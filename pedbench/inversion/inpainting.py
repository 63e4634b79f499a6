"""Filling the hidden part of a frame with samples of a diffusion pipeline."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pedbench.inversion.read_out import fill_with_nearest
from pedbench.inversion.resizing import resize
from pedbench.models.inpainting import painted_size, solving
from pedbench.types import Picture, View


def paint(pipeline: Any, view: View, *, seeds: Sequence[int], steps: int, caption: str) -> Picture:
    """Paint what was not seen, several times, and take the sample that continues what was seen best.

    Everything happens at the pipeline's own size. There, sample and seen pixels are put together before they
    are enlarged, so that colours pass over the hole's border without a step.

    Args:
        pipeline: A diffusers pipeline that inpaints.
        view: Holds some pixels, or none.
        seeds: One for each sample.
        steps: Of the solver.
        caption: What the picture shows; "" if nothing is known.

    Returns:
        (H, W, 3) in [0, 1], the received pixels pasted.

    Raises:
        ValueError: A caption for a pipeline that takes none, or a pipeline that does not tell its size.
    """
    canvas, seen = view.canvas()
    size = painted_size(view.frame_size, _side(pipeline))
    picture = resize(torch.from_numpy(fill_with_nearest(view)).permute(2, 0, 1), size)
    hidden = hidden_part(torch.from_numpy(seen), size)
    taken = inspect.signature(pipeline.__call__).parameters
    if caption and "prompt" not in taken:
        raise ValueError(f"{type(pipeline).__name__} takes no caption, found {caption!r}: leave it out")
    arguments: dict[str, Any] = {
        "image": picture[None].permute(0, 2, 3, 1).numpy(),
        "mask_image": hidden[None, ..., None].float().numpy(),
        "height": size[0],
        "width": size[1],
        "num_inference_steps": steps,
        "output_type": "np",
    } | ({"prompt": caption} if "prompt" in taken else {})
    best, least = picture, float("inf")
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        with solving():
            drawn = pipeline(**arguments, generator=generator).images[0]
        sample = torch.from_numpy(drawn).permute(2, 0, 1)
        together = torch.where(hidden, sample.clamp(0, 1), picture)
        misfit = seam(together, hidden)
        if misfit < least:
            best, least = together, misfit
    guess = resize(best, view.frame_size).permute(1, 2, 0).numpy()
    return np.where(seen[..., None], canvas, guess)


def hidden_part(seen: Tensor, size: tuple[int, int]) -> Tensor:
    """The pixels of a picture of another size that were not seen as a whole.

    Args:
        seen: (H, W) bool.
        size: Height and width.

    Returns:
        (h, w) bool.
    """
    return functional.adaptive_avg_pool2d(seen[None].double(), size)[0] < 1 - 1e-9


def seam(picture: Tensor, hidden: Tensor) -> float:
    """Mean squared step between neighbours of which one is hidden; 0 where the hidden part has no border.

    It is a score that an attacker has: a sample that does not go with what was seen breaks off at the border.

    Args:
        picture: (3, h, w).
        hidden: (h, w) bool.
    """
    steps = [(picture[:, 1:] - picture[:, :-1])[:, hidden[1:] != hidden[:-1]]]
    steps.append((picture[:, :, 1:] - picture[:, :, :-1])[:, hidden[:, 1:] != hidden[:, :-1]])
    squares = torch.cat(steps, dim=1).double().square()
    return float(squares.mean()) if squares.numel() else 0.0


def _side(pipeline: Any) -> int:
    """Side in pixels of the pictures that a pipeline was trained on.

    Raises:
        ValueError: It does not say.
    """
    network = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    found = getattr(getattr(network, "config", None), "sample_size", None)
    if not isinstance(found, int):
        raise ValueError(
            f"{type(pipeline).__name__} does not tell its network's sample_size, found {found!r}"
        )
    return found * int(getattr(pipeline, "vae_scale_factor", 1))
