"""Tokens of a frozen encoder, the pixels of their patches, and the error of pictures guessed from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from pedbench.models.sam.architectures import architecture
from pedbench.models.sam.checkpoints import load_sam
from pedbench.models.sam.stages import run_blocks
from pedbench.training.data.pictures import Pictures

if TYPE_CHECKING:
    from pedbench.training.core.task import PictureSource

EXAMPLES = 64
"""Pictures from which linear estimates are made before a training."""


def frozen_network(weights: Path, name: str, device: str) -> Any:
    """Load a network of the mini family whose tokens are needed, its parameters frozen.

    Args:
        weights: Folder of the weights.
        name: Name of the network.
        device: Torch's name of the device.

    Returns:
        A `segment_anything.modeling.Sam` in evaluation mode.
    """
    sam: Any = load_sam(weights / f"{name}.safetensors", architecture(name))
    return sam.to(device).requires_grad_(False)


def encoder_tokens(sam: Any, pictures: Pictures, depths: tuple[int, ...]) -> dict[int, Tensor]:
    """Compute the tokens (B, h, w, C) of pictures behind some numbers of blocks, in rising order, on sam's device."""
    encoder = sam.image_encoder
    images, inside = pictures.images.to(sam.pixel_mean), pictures.inside.to(sam.pixel_mean)
    found, done = {}, 0
    with torch.no_grad():
        values = encoder.patch_embed((images * 255 - sam.pixel_mean) / sam.pixel_std * inside)
        values = values + encoder.pos_embed
        for depth in depths:
            values = run_blocks(encoder, values, done, depth)
            found[depth], done = values, depth
    return found


def example_patches(
    source: PictureSource, *, batch: int, seed: int, patch: int
) -> Iterator[tuple[Pictures, Tensor, Tensor]]:
    """Yield the first training pictures with the pixels of their whole patches.

    Args:
        source: Pictures to train on.
        batch: Pictures that are drawn together.
        seed: Seed of the training.
        patch: Side of a patch in pixels.

    Yields:
        B pictures; the (B, h, w) bool mask of patches inside them; and (n, 3 * patch * patch) pixels in [0, 1] of these
        patches, as `pixel_unshuffle` arranges them.
    """
    size = min(batch, len(source))
    for step in range(-(-EXAMPLES // size)):
        pictures = source.draw(size=size, seed=seed, step=step)
        whole = functional.avg_pool2d(pictures.inside, patch)[:, 0] == 1
        yield pictures, whole, functional.pixel_unshuffle(pictures.images, patch).permute(0, 2, 3, 1)[whole]


def frame_error(guess: Tensor, pictures: Pictures) -> Tensor:
    """Return the root of the mean squared error of each frame, averaged over the frames.

    Args:
        guess: (B, 3, S, S) pixels.
        pictures: The true ones.
    """
    images, inside = pictures.images.to(guess.device), pictures.inside.to(guess.device)
    squares = ((guess.float() - images) * inside).square().sum((1, 2, 3)) / (3 * inside.sum((1, 2, 3)))
    return squares.sqrt().mean()
