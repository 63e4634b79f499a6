"""Training of the decoder of split inference: pictures from all tokens behind some blocks of an encoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.attackers.sized import save_sized
from pedbench.models.attackers.split_decoding import (
    DEPTHS,
    SplitDecoderNetwork,
    SplitDecoderSizes,
)
from pedbench.models.sam.architectures import architecture
from pedbench.models.sam.checkpoints import load_sam
from pedbench.models.sam.stages import run_blocks
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import PictureCourse
from pedbench.training.data.pictures import Pictures, psnr

EXAMPLES = 64
"""Pictures from which the linear path starts."""


@dataclass(frozen=True, kw_only=True)
class SplitDecodingRecipe:
    """Recipe of a decoder of tokens behind the blocks of `DEPTHS`.

    Attributes:
        encoder: Network whose tokens it gets.
        sizes: Sizes of the network.
        schedule: Steps and learning rate.
        batch: Pictures per step, all of one depth.
        seed: Seed of initialisation and batches.
    """

    encoder: str = "sam-mini"
    sizes: SplitDecoderSizes = field(default_factory=SplitDecoderSizes)
    schedule: Schedule
    batch: int = 8
    seed: int = 0


class SplitDecodingCourse(PictureCourse):
    """Trains a `SplitDecoderNetwork` by the root of the mean squared error of each frame."""

    def prepare(self, weights: Path) -> None:
        recipe: SplitDecodingRecipe = self.recipe
        sam = load_sam(weights / f"{recipe.encoder}.safetensors", architecture(recipe.encoder))
        self._sam: Any = sam.to(self.device).requires_grad_(False)
        self._start_linear()

    def fresh(self) -> nn.Module:
        return SplitDecoderNetwork(self.recipe.sizes)

    def batch_of(self, pictures: Pictures) -> Pictures:
        return pictures

    def _start_linear(self) -> None:
        """Start at the linear estimate from the first examples."""
        network, patch = cast(SplitDecoderNetwork, self.network), self.recipe.sizes.patch
        tokens: dict[int, list[Tensor]] = {depth: [] for depth in DEPTHS}
        patches = []
        size = min(self.batch, len(self.training))
        for step in range(-(-EXAMPLES // size)):
            pictures = self.training.draw(size=size, seed=self.recipe.seed, step=step)
            images, inside = pictures.images.to(self.device), pictures.inside.to(self.device)
            whole = functional.avg_pool2d(inside, patch)[:, 0] == 1
            patches.append(functional.pixel_unshuffle(images, patch).permute(0, 2, 3, 1)[whole])
            for depth, values in self.tokens(pictures, DEPTHS).items():
                tokens[depth].append(values[whole])
        for depth, parts in tokens.items():
            network.start_linear(depth, torch.cat(parts), torch.cat(patches))

    def tokens(self, pictures: Pictures, depths: tuple[int, ...]) -> dict[int, Tensor]:
        """Return the encoder's tokens (B, h, w, C) behind some numbers of blocks, in rising order."""
        encoder, sam = self._sam.image_encoder, self._sam
        images, inside = pictures.images.to(self.device), pictures.inside.to(self.device)
        found, done = {}, 0
        with torch.no_grad():
            values = encoder.patch_embed((images * 255 - sam.pixel_mean) / sam.pixel_std * inside)
            values = values + encoder.pos_embed
            for depth in depths:
                values = run_blocks(encoder, values, done, depth)
                found[depth], done = values, depth
        return found

    def loss(self, step: int, batch: Pictures) -> tuple[Tensor, dict[str, float]]:
        depth = int(np.random.default_rng((self.recipe.seed, 3, step)).choice(DEPTHS))
        tokens = self.tokens(batch, (depth,))[depth]
        with self.autocast():
            guess = self.parallel(tokens, depth)
        images, inside = batch.images.to(self.device), batch.inside.to(self.device)
        squares = ((guess.float() - images) * inside).square().sum((1, 2, 3)) / (3 * inside.sum((1, 2, 3)))
        error = squares.sqrt().mean()
        return error, {f"RMSE {depth}": float(error.detach())}

    def examine(self, network: nn.Module, pictures: Pictures) -> dict[str, list[float]]:
        """Return the PSNR in dB of each picture, by depth."""
        images, inside = pictures.images.to(self.device), pictures.inside.to(self.device)
        return {
            f"PSNR behind {depth} blocks": psnr(network(tokens, depth), images, inside)
            for depth, tokens in self.tokens(pictures, DEPTHS).items()
        }

    def save(self, network: nn.Module, path: Path) -> None:
        save_sized(network, path)
