"""Training of the obfuscator of split inference against a decoder that is trained at the same time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from pedbench.models.attackers.sized import save_sized
from pedbench.models.attackers.split_decoding import SplitDecoderNetwork, SplitDecoderSizes
from pedbench.models.obfuscator import Obfuscator, ObfuscatorSizes
from pedbench.models.sam.stages import finish_blocks, run_blocks
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import SceneCourse
from pedbench.training.data.batches import Batch, make_batch
from pedbench.training.data.encoder_tokens import (
    encoder_tokens,
    example_patches,
    frame_error,
    frozen_network,
)
from pedbench.training.data.pictures import Pictures, psnr
from pedbench.training.data.prompting import decode_masks, mask_loss
from pedbench.training.tasks.validation import one_click_scores


@dataclass(frozen=True, kw_only=True)
class FeatureNoiseRecipe:
    """Recipe of an obfuscator and its adversary.

    Attributes:
        encoder: Network whose tokens are obfuscated. It stays as it is.
        sizes: Sizes of the obfuscator.
        amplitude: Initial standard deviation of each channel, relative to the noise.
        reward: Weight of the adversary's root mean squared error, in [0, 1], in the obfuscator's loss. The other
            term is the loss of the masks that the frozen network makes of one click.
        adversary: Sizes of the adversary; its width is the obfuscator's channels.
        adversary_steps: Steps of the adversary before each step of the obfuscator.
        schedule: Steps of both together, and learning rate.
        batch: Pictures per step.
        prompts: Prompted objects per picture.
        seed: Seed of initialisation and batches.
    """

    encoder: str = "sam-mini"
    sizes: ObfuscatorSizes = field(default_factory=ObfuscatorSizes)
    amplitude: float = 2.0
    reward: float = 4.0
    adversary: SplitDecoderSizes = field(
        default_factory=lambda: SplitDecoderSizes(width=96, depth=2, rounds=1)
    )
    adversary_steps: int = 2
    schedule: Schedule
    batch: int = 8
    prompts: int = 4
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class NoisyBatch:
    """Pictures with prompted objects, the same pictures in [0, 1], and the noise (B, h, w, channels) of one request."""

    batch: Batch
    pictures: Pictures
    noise: Tensor


class FeatureNoiseCourse(SceneCourse):
    """Trains an `Obfuscator` and its adversary in turn.

    The adversary decodes the noisy channels, which whoever receives the tokens can recover. It is trained with
    the obfuscator and discarded.
    """

    def prepare(self, weights: Path) -> None:
        recipe: FeatureNoiseRecipe = self.recipe
        self._sam = frozen_network(weights, recipe.encoder, self.device)
        adversary = SplitDecoderNetwork(recipe.adversary, kinds=(1,)).to(self.device)
        self.auxiliary = adversary
        obfuscator = cast(Obfuscator, self.network)
        tokens, pixels = [], []
        for pictures, whole, patches in example_patches(
            self.training, batch=recipe.batch, seed=recipe.seed, patch=recipe.adversary.patch
        ):
            tokens.append(self._tokens(pictures)[whole.to(self.device)])
            pixels.append(patches.to(self.device))
        examples = torch.cat(tokens)
        obfuscator.start(examples, recipe.amplitude)
        with torch.no_grad():
            channels = obfuscator.project(examples)
        noise = torch.randn(channels.shape, generator=torch.Generator().manual_seed(recipe.seed))
        adversary.start_linear(1, channels + noise.to(channels), torch.cat(pixels))

    def fresh(self) -> nn.Module:
        return Obfuscator(self.recipe.sizes)

    def make_batch(self, step: int) -> NoisyBatch:
        recipe: FeatureNoiseRecipe = self.recipe
        batch = make_batch(
            self.training, size=recipe.batch, prompts=recipe.prompts, seed=recipe.seed, step=step
        )
        rng = np.random.default_rng((recipe.seed, 3, step))
        pictures = Pictures(images=batch.images / 255, inside=batch.inside, sizes=(), rng=rng)
        return NoisyBatch(batch=batch, pictures=pictures, noise=self._noise(pictures))

    def _noise(self, pictures: Pictures) -> Tensor:
        """Draw the noise of one request for each picture, (B, h, w, channels)."""
        side, channels = self.recipe.adversary.side, self.recipe.sizes.channels
        noise = pictures.rng.standard_normal((len(pictures.images), side, side, channels), np.float32)
        return torch.from_numpy(noise).to(self.device)

    def loss(self, step: int, batch: NoisyBatch) -> tuple[Tensor, dict[str, float]]:
        obfuscator, adversary = cast(Obfuscator, self.network), self.auxiliary
        attacking = step % (self.recipe.adversary_steps + 1) < self.recipe.adversary_steps
        adversary.requires_grad_(attacking)
        prompted, blocks = batch.batch.to(self.device), self.recipe.sizes.blocks
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            channels = obfuscator.project(self._tokens(batch.pictures)) + batch.noise
            guess = adversary(channels.detach() if attacking else channels, 1)
            error = frame_error(guess, batch.pictures)
            if attacking:
                return error, {"adversary": float(error.detach())}
            features = finish_blocks(self._sam.image_encoder, obfuscator.expand(channels), blocks)
            logits, predicted = decode_masks(self._sam, features, prompted.clicks)
        masks, iou = mask_loss(logits, predicted, prompted.targets, prompted.valid)
        values = {
            "iou": float((iou * prompted.valid).sum() / prompted.valid.sum()),
            "masks": float(masks.detach()),
            "error": float(error.detach()),
        }
        return masks - self.recipe.reward * error, values

    def _tokens(self, pictures: Pictures) -> Tensor:
        """Return the encoder's tokens (B, h, w, C) before the obfuscator."""
        blocks = self.recipe.sizes.blocks
        return encoder_tokens(self._sam, pictures, (blocks,))[blocks]

    def scores(self, network: nn.Module) -> dict[str, float]:
        """Return the one-click scores of the obfuscated encoder, and the PSNR in dB of the adversary's pictures."""
        obfuscator = cast(Obfuscator, network)
        names = ("pixel_mean", "pixel_std", "prompt_encoder", "mask_decoder")
        parts = {name: getattr(self._sam, name) for name in names}
        encoder = ObfuscatedEncoder(self._sam.image_encoder, obfuscator, self.recipe.seed)
        obfuscated = SimpleNamespace(image_encoder=encoder, **parts)
        found: list[float] = []
        for first in range(0, len(self.validation), self.batch):
            pictures = self.validation.unaltered(first, min(first + self.batch, len(self.validation)))
            images, inside = pictures.images.to(self.device), pictures.inside.to(self.device)
            with torch.inference_mode():
                channels = obfuscator.project(self._tokens(pictures)) + self._noise(pictures)
                found += psnr(self.auxiliary(channels, 1), images, inside)
        return one_click_scores(obfuscated, self.validation) | {"adversary's PSNR": float(np.mean(found))}

    def save(self, network: nn.Module, path: Path) -> None:
        save_sized(network, path)


class ObfuscatedEncoder(nn.Module):
    """A frozen image encoder with an obfuscator between its blocks.

    Args:
        encoder: The image encoder.
        obfuscator: The obfuscator.
        seed: Seed of its noise.
    """

    def __init__(self, encoder: Any, obfuscator: Obfuscator, seed: int) -> None:
        super().__init__()
        self.encoder, self.obfuscator = encoder, obfuscator
        self.img_size: int = encoder.img_size
        self._generator = torch.Generator().manual_seed(seed)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed normalised pixels (B, 3, S, S) as (B, C, h, w)."""
        encoder, sizes = self.encoder, self.obfuscator.sizes
        tokens = run_blocks(encoder, encoder.patch_embed(pixels) + encoder.pos_embed, 0, sizes.blocks)
        noise = torch.randn(*tokens.shape[:3], sizes.channels, generator=self._generator)
        return finish_blocks(encoder, self.obfuscator(tokens, noise.to(tokens)), sizes.blocks)
