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
from scipy.ndimage import distance_transform_edt, gaussian_filter
from torch import Tensor

from pedbench.host.device import in_batches
from pedbench.inversion.masked_autoencoder import complete_frames
from pedbench.inversion.read_out import fill_with_nearest
from pedbench.inversion.repetition import continue_texture
from pedbench.inversion.resizing import hidden_part, resize
from pedbench.models.attackers.inpaint_mini import painted_size, solving
from pedbench.models.attackers.inpainting import Inpainting
from pedbench.models.attackers.vitmae import MaskedAutoencoder
from pedbench.types import Mask, Picture, View

_REACH = 1 / 20
"""Distance from the visible part at which its nearest pixels weigh 1 / e in a first guess, in longest sides."""

_SMOOTHING = 1 / 160
"""Standard deviation of the filter that smooths completions, in longest sides."""


@dataclass(frozen=True, kw_only=True)
class _Sketch:
    """A view's pixels at the size of painting.

    Attributes:
        picture: (3, h, w), hidden pixels as first guessed.
        hidden: (h, w) bool.
    """

    picture: Tensor
    hidden: Tensor


def paint(
    model: Inpainting, views: Sequence[View], *, seeds: Sequence[Sequence[int]], steps: int, caption: str
) -> list[Picture]:
    """Paint the hidden part of frames several times, and return the samples that continue the seen part best.

    Sample and seen pixels are merged at the pipeline's size before enlarging, so that colours have no step at the
    border. Of a pipeline that refines first guesses, only what it changes is enlarged and added, and repeating texture
    of seen surfaces is continued. Accelerators paint samples of one size together; each has its noise from its own
    seed.

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
    guesses = (
        [fill_with_nearest(view) for view in views]
        if model.guesser is None
        else first_guesses(model.guesser, views)
    )
    sketches = [
        _sketch(view, guess, painted_size(view.frame_size, _side(pipeline)))
        for view, guess in zip(views, guesses, strict=True)
    ]

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
    painted = []
    for view, guess, sketch, (_, together) in zip(views, guesses, sketches, best, strict=True):
        canvas, seen = view.canvas()
        if model.guesser is None:
            guess = _enlarged(together, view)
        else:
            guess = (guess + 2 * _enlarged((together - sketch.picture + 1) / 2, view) - 1).clip(0, 1)
            guess = continue_texture(np.where(seen[..., None], canvas, guess), seen)
        painted.append(np.where(seen[..., None], canvas, guess))
    return painted


def _sketch(view: View, guess: Picture, size: tuple[int, int]) -> _Sketch:
    return _Sketch(
        picture=resize(torch.from_numpy(guess).permute(2, 0, 1), size),
        hidden=hidden_part(torch.from_numpy(view.canvas()[1]), size),
    )


def _enlarged(picture: Tensor, view: View) -> Picture:
    enlarged: Picture = resize(picture, view.frame_size).permute(1, 2, 0).numpy()
    return enlarged


def first_guesses(guesser: MaskedAutoencoder, views: Sequence[View]) -> list[Picture]:
    """Complete frames, and blend the completions with the nearest visible pixels close to the visible part.

    Completions are smoothed, as their patches have borders.

    Returns:
        (H, W, 3) in [0, 1] each, the received pixels pasted.
    """
    guesses = []
    for view, completed in zip(views, complete_frames(guesser, views), strict=True):
        canvas, seen = view.canvas()
        side = max(view.frame_size)
        if seen.any():
            distances, (rows, columns) = distance_transform_edt(~seen, return_indices=True)
            weights = np.exp(-distances / (_REACH * side)).astype(np.float32)[..., None]
            smooth = gaussian_filter(completed, (_SMOOTHING * side, _SMOOTHING * side, 0))
            blend = weights * canvas[rows, columns] + (1 - weights) * smooth
            completed = np.where(seen[..., None], canvas, blend)
        guesses.append(completed)
    return guesses


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


def smoothest(samples: Sequence[Picture], seen: Mask) -> Picture:
    """Return the sample with the smallest `seam`.

    Args:
        samples: At least one, (H, W, 3) in [0, 1].
        seen: (H, W) bool.
    """
    hidden = torch.from_numpy(~seen)
    return min(samples, key=lambda sample: seam(torch.tensor(sample).permute(2, 0, 1), hidden))


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
