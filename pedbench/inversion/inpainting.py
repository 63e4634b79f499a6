"""Completion of the hidden part of a frame by samples of a diffusion pipeline."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pedbench.host.device import in_batches
from pedbench.inversion.read_out import fill_with_nearest
from pedbench.inversion.resizing import resize
from pedbench.models.attackers.inpaint_mini import painted_size, solving
from pedbench.models.attackers.inpainting import Inpainting
from pedbench.types import Picture, View


@dataclass(frozen=True, kw_only=True)
class _Sketch:
    """A view's pixels at the size of painting.

    Attributes:
        picture: (3, h, w), hidden pixels with the nearest seen one's colour.
        hidden: (h, w) bool.
    """

    picture: Tensor
    hidden: Tensor


def paint(
    model: Inpainting, views: Sequence[View], *, seeds: Sequence[Sequence[int]], steps: int, caption: str
) -> list[Picture]:
    """Paint the hidden part of frames several times, and return the samples that continue the seen part best.

    Sample and seen pixels are merged at the pipeline's size before enlarging, so that colours have no step at the
    border. Accelerators paint samples of one size together; each has its noise from its own seed.

    Args:
        model: An inpainting pipeline of diffusers.
        views: Views with some pixels, or none.
        seeds: Per view one seed for each sample.
        steps: Steps of the solver.
        caption: Caption of the pictures; "" if unknown.

    Returns:
        (H, W, 3) in [0, 1] each, the received pixels pasted.

    Raises:
        ValueError: The pipeline takes no caption but got one, or does not state its size.
    """
    pipeline = model.pipeline
    parameters = inspect.signature(pipeline.__call__).parameters
    if caption and "prompt" not in parameters:
        raise ValueError(f"{type(pipeline).__name__} takes no caption, found {caption!r}: leave it out")
    sketches = [_sketch(view, painted_size(view.frame_size, _side(pipeline))) for view in views]

    def samples_of(part: Sequence[tuple[int, int]]) -> list[Tensor]:
        chosen = [sketches[index] for index, _ in part]
        prompts = {"prompt": [caption] * len(part)} if "prompt" in parameters else {}
        with solving():
            images = pipeline(
                image=torch.stack([each.picture for each in chosen]).permute(0, 2, 3, 1).numpy(),
                mask_image=torch.stack([each.hidden for each in chosen])[..., None].float().numpy(),
                height=chosen[0].hidden.shape[0],
                width=chosen[0].hidden.shape[1],
                num_inference_steps=steps,
                output_type="np",
                generator=[torch.Generator().manual_seed(seed) for _, seed in part],
                **prompts,
            ).images
        samples = torch.from_numpy(images).permute(0, 3, 1, 2).clamp(0, 1)
        return [
            torch.where(each.hidden, sample, each.picture)
            for each, sample in zip(chosen, samples, strict=True)
        ]

    groups: dict[torch.Size, list[tuple[int, int]]] = defaultdict(list)
    for index, each in enumerate(seeds):
        groups[sketches[index].hidden.shape] += [(index, seed) for seed in each]
    best = [(inf, sketch.picture) for sketch in sketches]
    for group in groups.values():
        for (index, _), together in zip(group, in_batches(samples_of, group, model.device, 1), strict=True):
            misfit = seam(together, sketches[index].hidden)
            if misfit < best[index][0]:
                best[index] = (misfit, together)
    guesses = []
    for view, (_, together) in zip(views, best, strict=True):
        canvas, seen = view.canvas()
        guess = resize(together, view.frame_size).permute(1, 2, 0).numpy()
        guesses.append(np.where(seen[..., None], canvas, guess))
    return guesses


def _sketch(view: View, size: tuple[int, int]) -> _Sketch:
    return _Sketch(
        picture=resize(torch.from_numpy(fill_with_nearest(view)).permute(2, 0, 1), size),
        hidden=hidden_part(torch.from_numpy(view.canvas()[1]), size),
    )


def hidden_part(seen: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the pixels of a resized picture that are not entirely seen.

    Args:
        seen: (H, W) bool.
        size: Height and width of the resized picture.

    Returns:
        (h, w) bool.
    """
    return functional.adaptive_avg_pool2d(seen[None].double(), size)[0] < 1 - 1e-9


def seam(picture: Tensor, hidden: Tensor) -> float:
    """Return the mean squared step across the border of the hidden part; 0 if it has no border.

    Attackers can compute this score: a sample that does not match the seen part has a visible seam.

    Args:
        picture: (3, h, w).
        hidden: (h, w) bool.
    """
    steps = [(picture[:, 1:] - picture[:, :-1])[:, hidden[1:] != hidden[:-1]]]
    steps.append((picture[:, :, 1:] - picture[:, :, :-1])[:, hidden[:, 1:] != hidden[:, :-1]])
    squares = torch.cat(steps, dim=1).double().square()
    return float(squares.mean()) if squares.numel() else 0.0


def _side(pipeline: Any) -> int:
    """Return the side in pixels of a pipeline's training pictures.

    Raises:
        ValueError: The pipeline does not state it.
    """
    network = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    size = getattr(getattr(network, "config", None), "sample_size", None)
    if not isinstance(size, int):
        raise ValueError(
            f"{type(pipeline).__name__} does not state its network's sample_size, found {size!r}"
        )
    return size * int(getattr(pipeline, "vae_scale_factor", 1))
