"""Training of masked autoencoders: small counterparts of public ViTMAE weights, and the adaptive attacker's."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pedbench.metrics.learned_perceptual_similarity import build_network
from pedbench.models.attackers.initialisation import sinusoidal_positions, xavier
from pedbench.models.attackers.vitmae import load_autoencoder
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import PictureCourse
from pedbench.training.data.coalition_masks import draw_coalition, held_patches
from pedbench.training.data.pictures import Pictures, psnr

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's statistics of pixels in [0, 1], as in public weights."""

_PERCEIVED = 4
"""Pictures of a batch whose LPIPS is computed, which takes most of a step's time."""

_TRIED = 12
"""Random coalitions per picture; the one whose number of patches is closest to the batch's is used."""


@dataclass(frozen=True, kw_only=True)
class AutoencoderSizes:
    """Sizes of the network, named as in `transformers.ViTMAEConfig`."""

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
    """Recipe of a masked autoencoder, trained on a random quarter of the patches as in He et al. 2022.

    Attributes:
        sizes: Sizes of the network.
        start: Weights of the mini family to start from; "" for none.
        kept: Visible patches, a quarter of the 300 that most scenes have; 0 for those that coalitions of
            `ped_sam`'s servers receive.
        perceptual: Weight of an LPIPS distance besides the squared error.
        loss_trunk: Weights of the mini family whose features that distance compares; never those of the scoring
            metric.
        schedule: Steps and learning rate.
        batch: Pictures per step.
        seed: Seed of initialisation and batches.
    """

    sizes: AutoencoderSizes = field(default_factory=AutoencoderSizes)
    start: str = ""
    kept: int = 75
    perceptual: float = 0.0
    loss_trunk: str = ""
    schedule: Schedule
    batch: int = 16
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Masked:
    """Pictures with their masks.

    Attributes:
        noise: (B, patches) order in which patches are kept, ascending.
        inside: (B, patches) 1 for patches in the picture, else 0.
        kept: Number of patches that are kept.
    """

    pictures: Pictures
    noise: Tensor
    inside: Tensor
    kept: int


class AutoencoderCourse(PictureCourse):
    """Trains a `transformers.ViTMAEForPreTraining`.

    Attributes:
        grid: Windows of the encoder whose servers' coalitions give the masks.
        statistics: Mean and standard deviation of pixels in [0, 1], (3, 1, 1) each.
    """

    path = "{name}/model.safetensors"
    validated = 20
    grid = SAM_MINI.grid
    statistics = (torch.tensor(MEAN)[:, None, None], torch.tensor(DEVIATION)[:, None, None])

    def prepare(self, weights: Path) -> None:
        if self.recipe.start:
            start = load_autoencoder(str((weights / self.recipe.start).resolve())).to(self.device)
            self.network.load_state_dict(start.network.state_dict())
        self._perception: Any = None
        if self.recipe.perceptual:
            trunk = weights / f"{self.recipe.loss_trunk}.safetensors"
            self._perception = build_network("mini", str(trunk), self.device)

    def fresh(self) -> nn.Module:
        from transformers import ViTMAEConfig, ViTMAEForPreTraining

        sizes = self.recipe.sizes
        config = ViTMAEConfig(**asdict(sizes))
        # For so few tokens the fused kernel's backward pass is several times slower on CPUs.
        config._attn_implementation = "eager"
        network: Any = ViTMAEForPreTraining(config)
        xavier(network)
        # transformers 5 leaves the positions of new networks at zero.
        for positions in (network.vit.embeddings.position_embeddings, network.decoder.decoder_pos_embed):
            grid = sinusoidal_positions(sizes.image_size // sizes.patch_size, positions.shape[2])
            positions.data[0, 1:] = grid
        built: nn.Module = network
        return built

    def batch_of(self, pictures: Pictures) -> Masked:
        side = self.recipe.sizes.patch_size
        inside = pictures.inside[:, 0, ::side, ::side].flatten(1)
        draw = torch.from_numpy(pictures.rng.random(inside.shape, np.float32))
        # Patches beyond the picture come last and are never kept.
        noise = draw + 2 * (1 - inside)
        # Small pictures have something to hide, too.
        kept = min(self.recipe.kept, int(inside.sum(1).min()) // 2)
        if not self.recipe.kept:
            visible = self._visible_patches(pictures)
            noise = noise + (1 - visible)
            kept = int(visible.sum(1).min())
        return Masked(pictures=pictures, noise=noise, inside=inside, kept=kept)

    def _visible_patches(self, pictures: Pictures) -> Tensor:
        """Return a coalition's patches of each picture, (B, patches); similar numbers, as a batch needs one number."""
        each, target, chosen = self._side() // self.grid.rows, 0, []
        for size in pictures.sizes:
            candidates = [
                held_patches(draw_coalition(size, self.grid, pictures.rng), size, self.grid, each)
                for _ in range(_TRIED)
            ]
            some = [visible for visible in candidates if visible.any()] or [_first(self._side())]
            target = target or int(some[0].sum())
            chosen.append(min(some, key=lambda visible: abs(int(visible.sum()) - target)))
        return torch.from_numpy(np.stack(chosen).astype(np.float32)).flatten(1)

    def _run(self, network: nn.Module, batch: Masked) -> tuple[Tensor, Tensor, Tensor]:
        """Return predicted and true patches in normalised colours, (B, L, D), and which count, (B, L, 1)."""
        mean, deviation = (part.to(self.device) for part in self.statistics)
        images, inside = batch.pictures.images.to(self.device), batch.pictures.inside.to(self.device)
        pixels = (images - mean) / deviation * inside
        # Half a patch more, as the network rounds the kept number down.
        ratio = 1 - (batch.kept + 0.5) / batch.noise.shape[1]
        bare: Any = getattr(network, "module", network)
        bare.vit.embeddings.config.mask_ratio = ratio
        out = network(pixel_values=pixels, noise=batch.noise.to(self.device))
        target = bare.patchify(pixels)
        return out.logits.float(), target, (out.mask.float() * batch.inside.to(self.device))[..., None]

    def loss(self, step: int, batch: Masked) -> tuple[Tensor, dict[str, float]]:
        with self.autocast():
            guess, truth, counted = self._run(self.parallel, batch)
        loss = ((guess - truth).square().mean(2, keepdim=True) * counted).sum() / counted.sum()
        values = {"squares": float(loss.detach())}
        if self._perception is not None:
            distance = self._distance(guess[:_PERCEIVED], counted[:_PERCEIVED], batch.pictures)
            loss = loss + self.recipe.perceptual * distance
            values["perceptual"] = float(distance.detach())
        return loss, values

    def _distance(self, guess: Tensor, counted: Tensor, pictures: Pictures) -> Tensor:
        """Return the mean perceptual distance over the hidden part of the first pictures, with the kept part pasted."""
        truth = pictures.images[: len(guess)].to(self.device)
        found, hidden = self._picture(self.network, guess, counted)
        with self.autocast():
            maps = self._perception(torch.where(hidden > 0, found, truth), truth, normalize=True)
        distance: Tensor = (maps.float() * hidden).sum() / hidden.sum()
        return distance

    def _picture(self, network: nn.Module, guess: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
        """Return predicted colours, (B, 3, S, S), and where they count, (B, 1, S, S)."""
        mean, deviation = (part.to(self.device) for part in self.statistics)
        side = self.recipe.sizes.patch_size
        place = counted.reshape(len(counted), 1, self._side(), self._side())
        region = place.repeat_interleave(side, 2).repeat_interleave(side, 3)
        return network.unpatchify(guess) * deviation + mean, region  # type: ignore[operator]

    def examine(self, network: nn.Module, pictures: Pictures) -> dict[str, list[float]]:
        batch = self.batch_of(pictures)
        guess, _, counted = self._run(network, batch)
        picture, region = self._picture(network, guess, counted)
        truth, inside = (part.to(self.device) for part in (pictures.images, pictures.inside))
        return {"hidden PSNR": psnr(picture, truth, region * inside)}

    def _side(self) -> int:
        sizes: AutoencoderSizes = self.recipe.sizes
        return sizes.image_size // sizes.patch_size

    def save(self, network: nn.Module, path: Path) -> None:
        network.save_pretrained(path.parent)  # type: ignore[operator]
        # safetensors writes files that only their owner may read.
        path.chmod(0o644)


def _first(side: int) -> npt.NDArray[np.bool_]:
    """Return the mask (side, side) of the first patch, for frames of which no try showed a whole patch."""
    mask = np.zeros((side, side), np.bool_)
    mask[0, 0] = True
    return mask
