"""Training of restoration networks: completion from the windows of some servers, with tokens or without."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.attackers.restoration import RestorationSizes, RestorationTransformer
from pedbench.models.attackers.sized import save_sized
from pedbench.models.sam.architectures import architecture
from pedbench.models.sam.checkpoints import load_sam
from pedbench.models.sam.stages import run_blocks
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import PictureCourse
from pedbench.training.data.coalition_masks import draw_coalition, held_pixels, held_tokens
from pedbench.training.data.pictures import Pictures, psnr


@dataclass(frozen=True, kw_only=True)
class RestorationRecipe:
    """Recipe of a network that completes pictures from a coalition's windows.

    Attributes:
        encoder: Network whose tokens of those windows it gets; "" for pixels only.
        blocks: Number of the encoder's blocks that those tokens passed.
        sizes: Sizes of the network.
        schedule: Steps and learning rate.
        batch: Pictures per step.
        seed: Seed of initialisation and batches.
    """

    encoder: str = ""
    blocks: int = 0
    sizes: RestorationSizes
    schedule: Schedule
    batch: int = 16
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class VisibleParts:
    """Pictures and the masks of a coalition's pixels and tokens; see `RestorationTransformer.forward`."""

    pictures: Pictures
    pixels: Tensor
    tokens: Tensor


class RestorationCourse(PictureCourse):
    """Trains a `RestorationTransformer` on what coalitions hold."""

    def prepare(self, weights: Path) -> None:
        self.grid = architecture(self.recipe.encoder or "sam-mini").grid
        self._encoder: Any = None
        if self.recipe.encoder:
            sam = load_sam(weights / f"{self.recipe.encoder}.safetensors", architecture(self.recipe.encoder))
            self._encoder = sam.to(self.device).requires_grad_(False)

    def fresh(self) -> nn.Module:
        return RestorationTransformer(self.recipe.sizes)

    def batch_of(self, pictures: Pictures) -> VisibleParts:
        pixels, tokens = [], []
        for size in pictures.sizes:
            windows = draw_coalition(size, self.grid, pictures.rng)
            pixels.append(held_pixels(windows, size, self.grid))
            tokens.append(held_tokens(windows, self.grid))
        return VisibleParts(
            pictures=pictures,
            pixels=torch.from_numpy(np.stack(pixels)[:, None].astype(np.float32)),
            tokens=torch.from_numpy(np.stack(tokens)[:, None].astype(np.float32)),
        )

    def loss(self, step: int, batch: VisibleParts) -> tuple[Tensor, dict[str, float]]:
        images, inside, visible = self._canvas(batch)
        with self.autocast():
            guess = self.parallel(images, visible, inside, *self._tokens(batch))
        hidden = inside * (1 - visible)
        error = (guess.float() - images) * hidden
        count = 3 * hidden.sum().clamp(min=1)
        square, absolute = error.square().sum() / count, error.abs().sum() / count
        loss = 4 * square + absolute
        return loss, {"psnr": float(-10 * torch.log10(square.detach())), "absolute": float(absolute.detach())}

    def _canvas(self, batch: VisibleParts) -> tuple[Tensor, Tensor, Tensor]:
        """Return pictures, masks of the frame and masks of visible pixels, at the network's resolution."""
        pictures = batch.pictures
        scale = pictures.images.shape[2] // self.recipe.sizes.canvas
        parts = (pictures.images, pictures.inside, batch.pixels)
        images, inside, visible = (functional.avg_pool2d(part.to(self.device), scale) for part in parts)
        return images, inside, visible

    def _tokens(self, batch: VisibleParts) -> tuple[Tensor, ...]:
        if self._encoder is None:
            return ()
        encoder, sam = self._encoder.image_encoder, self._encoder
        images, inside = batch.pictures.images.to(self.device), batch.pictures.inside.to(self.device)
        with torch.no_grad():
            pixels = (images * 255 - sam.pixel_mean) / sam.pixel_std * inside
            embedded = encoder.patch_embed(pixels) + encoder.pos_embed
            tokens = run_blocks(encoder, embedded, 0, self.recipe.blocks).permute(0, 3, 1, 2)
        return tokens.float(), batch.tokens.to(self.device)

    def examine(self, network: nn.Module, pictures: Pictures) -> dict[str, list[float]]:
        batch = self.batch_of(pictures)
        images, inside, visible = self._canvas(batch)
        guess = network(images, visible, inside, *self._tokens(batch))
        full = functional.interpolate(guess, batch.pixels.shape[2:], mode="bicubic")
        truth, frame = pictures.images.to(self.device), pictures.inside.to(self.device)
        return {"hidden PSNR": psnr(full, truth, frame * (1 - batch.pixels.to(self.device)))}

    def save(self, network: nn.Module, path: Path) -> None:
        save_sized(network, path)
