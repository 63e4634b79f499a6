"""Training of the diffusion model for inpainting that refines completions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pedbench.adversary.prior import load_prior
from pedbench.inversion.inpainting import first_guesses
from pedbench.inversion.resizing import hidden_part, resize
from pedbench.models.attackers.inpaint_mini import build_inpaint_mini, inpainting_loss, painted_size
from pedbench.models.attackers.vitmae import load_pixel_autoencoder
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import SceneCourse
from pedbench.training.data.coalition_masks import draw_coalition
from pedbench.training.data.packing import PackedScenes
from pedbench.training.data.pictures import vary
from pedbench.types import Patch, Picture, View

_VALIDATED = 16
"""Batches of four validation scenes."""


@dataclass(frozen=True, kw_only=True)
class InpaintingRecipe:
    """Recipe of the diffusion model, trained on pictures of one size per step, with the masks of coalitions.

    Attributes:
        guesser: Weights of the mini family whose completions it refines.
        boxes: Probability of a random rectangle as mask instead, as in general-purpose models.
        schedule: Steps and learning rate.
        batch: Pictures per step.
        seed: Seed of initialisation and batches.
    """

    guesser: str
    boxes: float = 0.2
    schedule: Schedule
    batch: int = 2
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Inpainted:
    """Pictures of one size with their masks.

    Attributes:
        pictures: (B, 3, h, w) in [-1, 1].
        guesses: The same with the first guess in the hidden part.
        hidden: (B, 1, h, w) 1 where hidden, else 0.
        seed: Seed of times and noise.
    """

    pictures: Tensor
    guesses: Tensor
    hidden: Tensor
    seed: int


class InpaintingCourse(SceneCourse):
    """Trains the network of `InpaintMini`."""

    path = "{name}/unet/diffusion_pytorch_model.safetensors"

    def fresh(self) -> nn.Module:
        network: Any = build_inpaint_mini().unet
        # The first guess is better than a random change of it.
        nn.init.zeros_(network.conv_out.weight)
        nn.init.zeros_(network.conv_out.bias)
        built: nn.Module = network
        return built

    def prepare(self, weights: Path) -> None:
        folder = (weights / self.recipe.guesser).resolve()
        self._guesser, self._prior = load_pixel_autoencoder(str(folder)), load_prior()

    def make_batch(self, step: int) -> Inpainted:
        rng = np.random.default_rng((self.recipe.seed, 1, step))
        return self._draw(self.training, self.batch, rng)

    def _draw(self, scenes: PackedScenes, count: int, rng: np.random.Generator) -> Inpainted:
        """Return pictures of one size with random masks."""
        height, width = (int(length) for length in scenes.sizes[rng.integers(len(scenes))])
        alike = np.flatnonzero((scenes.sizes == (height, width)).all(axis=1))
        indices = np.sort(rng.choice(alike, count, replace=len(alike) < count))
        size, batch = painted_size((height, width)), []
        for index in indices:
            picture = vary(scenes.images[index, :height, :width], rng) / np.float32(255)
            view = self._view(picture, rng)
            (guess,) = first_guesses(self._guesser, [view])
            small = [resize(torch.from_numpy(each).permute(2, 0, 1), size) for each in (picture, guess)]
            hidden = hidden_part(torch.from_numpy(view.canvas()[1]), size)
            batch.append((*(2 * each - 1 for each in small), hidden[None].float()))
        pictures, guesses, hidden = (torch.stack(part) for part in zip(*batch, strict=True))
        # As in the attack, the seen part of a guess is the picture's, and pixels seen in part count as hidden.
        guesses = torch.where(hidden > 0, guesses, pictures)
        return Inpainted(pictures=pictures, guesses=guesses, hidden=hidden, seed=int(rng.integers(2**31)))

    def _view(self, picture: Picture, rng: np.random.Generator) -> View:
        """Return what a random coalition sees of a picture, or all but a random rectangle."""
        frame = (picture.shape[0], picture.shape[1])
        if rng.random() >= self.recipe.boxes:
            windows = draw_coalition(frame, SAM_MINI.grid, rng)
            places = [SAM_MINI.grid.tile(window, frame).slices for window in windows]
        else:
            sides = [int(length * rng.uniform(0.3, 0.9)) for length in frame]
            top, left = (int(rng.integers(0, frame[axis] - sides[axis] + 1)) for axis in (0, 1))
            bottom, right = top + sides[0], left + sides[1]
            places = [np.s_[:top, :], np.s_[bottom:, :], np.s_[top:bottom, :left], np.s_[top:bottom, right:]]
        patches = tuple(
            Patch(picture=picture[rows, columns], top=rows.start or 0, left=columns.start or 0, server=0)
            for rows, columns in places
        )
        return View(frame_size=frame, patches=patches, description={"family": "mini"}, prior=self._prior)

    def loss(self, step: int, batch: Inpainted) -> tuple[Tensor, dict[str, float]]:
        kind = self.device.split(":")[0]
        # Convolutions in bfloat16 are several times slower on CPUs without instructions for it.
        with torch.autocast(kind, torch.bfloat16, enabled=kind != "cpu"):
            loss = self._loss(self.network, batch)
        return loss, {"error": float(loss.detach())}

    def _loss(self, network: nn.Module, batch: Inpainted) -> Tensor:
        pictures, guesses, hidden = (
            each.to(self.device) for each in (batch.pictures, batch.guesses, batch.hidden)
        )
        generator = torch.Generator(self.device).manual_seed(batch.seed)
        return inpainting_loss(network, pictures, guesses, hidden, generator)

    def scores(self, network: nn.Module) -> dict[str, float]:
        with torch.inference_mode():
            found = [
                float(
                    self._loss(network, self._draw(self.validation, 4, np.random.default_rng((0, 2, number))))
                )
                for number in range(_VALIDATED)
            ]
        return {"error": float(np.mean(found))}

    def save(self, network: nn.Module, path: Path) -> None:
        pipeline = build_inpaint_mini(self.recipe.guesser)
        pipeline.unet = network
        pipeline.save_pretrained(path.parent.parent)
