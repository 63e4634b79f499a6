"""Training of the decoder of split inference: pictures from all tokens behind some blocks of an encoder."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from pedbench.models.attackers.sized import save_sized
from pedbench.models.attackers.split_decoding import (
    DEPTHS,
    SplitDecoderNetwork,
    SplitDecoderSizes,
)
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import PictureCourse
from pedbench.training.data.encoder_tokens import (
    encoder_tokens,
    example_patches,
    frame_error,
    frozen_network,
)
from pedbench.training.data.pictures import Pictures, psnr


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
    """Trains a `SplitDecoderNetwork` by the root of the mean squared error of each frame.

    Attributes:
        kinds: The kinds of tokens, of which each step has one.
        score: Name of the score of a kind.
    """

    kinds: tuple[int, ...] = DEPTHS
    score = "PSNR behind {kind} blocks"

    def prepare(self, weights: Path) -> None:
        self._sam = frozen_network(weights, self.recipe.encoder, self.device)
        self._start_linear()

    def fresh(self) -> nn.Module:
        return SplitDecoderNetwork(self.recipe.sizes, self.kinds)

    def batch_of(self, pictures: Pictures) -> Pictures:
        return pictures

    def _start_linear(self) -> None:
        """Start at the linear estimate from the first examples."""
        network, recipe = cast(SplitDecoderNetwork, self.network), self.recipe
        tokens: dict[int, list[Tensor]] = {kind: [] for kind in self.kinds}
        patches = []
        examples = example_patches(
            self.training, batch=recipe.batch, seed=recipe.seed, patch=recipe.sizes.patch
        )
        for pictures, whole, pixels in examples:
            patches.append(pixels.to(self.device))
            for kind, values in self.tokens(pictures, self.kinds).items():
                tokens[kind].append(values[whole.to(self.device)])
        for kind, parts in tokens.items():
            network.start_linear(kind, torch.cat(parts), torch.cat(patches))

    def tokens(self, pictures: Pictures, kinds: tuple[int, ...]) -> dict[int, Tensor]:
        """Return the tokens (B, h, w, C) of some kinds, in rising order."""
        return encoder_tokens(self._sam, pictures, kinds)

    def loss(self, step: int, batch: Pictures) -> tuple[Tensor, dict[str, float]]:
        kind = int(np.random.default_rng((self.recipe.seed, 3, step)).choice(self.kinds))
        tokens = self.tokens(batch, (kind,))[kind]
        with self.autocast():
            guess = self.parallel(tokens, kind)
        error = frame_error(guess, batch)
        return error, {f"RMSE {kind}": float(error.detach())}

    def examine(self, network: nn.Module, pictures: Pictures) -> dict[str, list[float]]:
        """Return the PSNR in dB of each picture, by kind of tokens."""
        images, inside = pictures.images.to(self.device), pictures.inside.to(self.device)
        return {
            self.score.format(kind=kind): psnr(network(tokens, kind), images, inside)
            for kind, tokens in self.tokens(pictures, self.kinds).items()
        }

    def save(self, network: nn.Module, path: Path) -> None:
        # Training rounds the averaged weights to half precision, so nothing is lost.
        save_sized(copy.deepcopy(network).half(), path)
