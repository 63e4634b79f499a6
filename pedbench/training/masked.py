"""Recipe and course of the masked autoencoder: what public ViTMAE weights are, in small."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pedbench.models.initialisation import sinusoidal_positions, xavier
from pedbench.training.course import Course
from pedbench.training.loop import Schedule
from pedbench.training.packing import PackedScenes
from pedbench.training.pictures import Pictures, draw_pictures, psnr, unaltered

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, as public weights have it."""

_VALIDATED = 20


@dataclass(frozen=True, kw_only=True)
class AutoencoderSizes:
    """The sizes in `transformers.ViTMAEConfig`'s words."""

    image_size: int = 320
    patch_size: int = 16
    hidden_size: int = 192
    num_hidden_layers: int = 5
    num_attention_heads: int = 6
    intermediate_size: int = 768
    decoder_hidden_size: int = 128
    decoder_num_hidden_layers: int = 2
    decoder_num_attention_heads: int = 4
    decoder_intermediate_size: int = 512


@dataclass(frozen=True, kw_only=True)
class AutoencoderRecipe:
    """How a masked autoencoder is trained: on a random quarter of the patches, as He et al. 2022 do.

    Attributes:
        sizes: The network's.
        kept: Patches that it sees; a quarter of the 300 that most scenes have.
        schedule: Steps and learning rate.
        batch: Pictures a step.
        seed: Of initialisation and batches.
    """

    sizes: AutoencoderSizes = field(default_factory=AutoencoderSizes)
    kept: int = 75
    schedule: Schedule
    batch: int = 16
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Masked:
    """Pictures with the order in which their patches are kept, (B, patches), and which lie in them."""

    pictures: Pictures
    noise: Tensor
    inside: Tensor


class AutoencoderCourse(Course):
    """Trains a `transformers.ViTMAEForPreTraining`; arguments as `RestorationCourse`."""

    def __init__(
        self,
        recipe: AutoencoderRecipe,
        name: str,
        *,
        training: PackedScenes,
        validation: PackedScenes,
        device: str,
    ) -> None:
        self.recipe, self.schedule, self.batch = recipe, recipe.schedule, recipe.batch
        self.training, self.validation, self.device = training, validation, device
        self.file = f"{name}/model.safetensors"
        self.network = self.fresh().to(device)
        self.auxiliary = nn.Module()

    def fresh(self) -> nn.Module:
        from transformers import ViTMAEConfig, ViTMAEForPreTraining

        sizes = self.recipe.sizes
        patches = (sizes.image_size // sizes.patch_size) ** 2
        # Half a patch more, as the kept number is rounded down from a float.
        ratio = 1 - (self.recipe.kept + 0.5) / patches
        config = ViTMAEConfig(**asdict(sizes), mask_ratio=ratio)
        # For so few tokens the fused kernel's backward pass is several times slower on CPUs.
        config._attn_implementation = "eager"
        network: Any = ViTMAEForPreTraining(config)
        xavier(network)
        # transformers 5 leaves the positions of a network that it did not load at zero.
        for positions in (network.vit.embeddings.position_embeddings, network.decoder.decoder_pos_embed):
            grid = sinusoidal_positions(sizes.image_size // sizes.patch_size, positions.shape[2])
            positions.data[0, 1:] = grid
        built: nn.Module = network
        return built

    def make_batch(self, step: int) -> Masked:
        return self._masked(draw_pictures(self.training, size=self.batch, seed=self.recipe.seed, step=step))

    def _masked(self, pictures: Pictures) -> Masked:
        side = self.recipe.sizes.patch_size
        inside = pictures.inside[:, 0, ::side, ::side].flatten(1)
        draw = torch.from_numpy(pictures.rng.random(inside.shape, np.float32))
        # Patches beyond the picture come last, and are never kept.
        return Masked(pictures=pictures, noise=draw + 2 * (1 - inside), inside=inside)

    def _run(self, network: nn.Module, batch: Masked) -> tuple[Tensor, Tensor, Tensor]:
        """Predicted and true patches in normalised colours, (B, L, D), and which count, (B, L, 1)."""
        mean, deviation = (torch.tensor(v, device=self.device)[:, None, None] for v in (MEAN, DEVIATION))
        images, inside = batch.pictures.images.to(self.device), batch.pictures.inside.to(self.device)
        pixels = (images - mean) / deviation * inside
        out = network(pixel_values=pixels, noise=batch.noise.to(self.device))
        target = network.patchify(pixels)  # type: ignore[operator]
        return out.logits.float(), target, (out.mask.float() * batch.inside.to(self.device))[..., None]

    def loss(self, step: int, batch: Masked) -> tuple[Tensor, dict[str, float]]:
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            guess, truth, counted = self._run(self.network, batch)
        loss = ((guess - truth).square().mean(2, keepdim=True) * counted).sum() / counted.sum()
        return loss, {"squares": float(loss.detach())}

    def scores(self, network: nn.Module) -> dict[str, float]:
        found: list[float] = []
        side = self.recipe.sizes.patch_size
        mean, deviation = (torch.tensor(v, device=self.device)[:, None, None] for v in (MEAN, DEVIATION))
        with torch.inference_mode():
            for first in range(0, len(self.validation), _VALIDATED):
                last = min(first + _VALIDATED, len(self.validation))
                batch = self._masked(unaltered(self.validation, first, last))
                guess, _, counted = self._run(network, batch)
                picture = network.unpatchify(guess) * deviation + mean  # type: ignore[operator]
                place = counted.reshape(last - first, 1, self._side(), self._side())
                region = place.repeat_interleave(side, 2).repeat_interleave(side, 3)
                inside = batch.pictures.inside.to(self.device)
                found += psnr(picture, batch.pictures.images.to(self.device), region * inside)
        return {"hidden PSNR": float(np.mean(found))}

    def _side(self) -> int:
        sizes: AutoencoderSizes = self.recipe.sizes
        return sizes.image_size // sizes.patch_size

    def save(self, network: nn.Module, path: Path) -> None:
        network.save_pretrained(path.parent)  # type: ignore[operator]
        # safetensors writes files that only their owner may read.
        path.chmod(0o644)
