"""Training of the diffusion model for inpainting at 64 px."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.attackers.inpaint_mini import build_inpaint_mini, inpainting_loss, painted_size
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import SceneCourse
from pedbench.training.data.coalition_masks import draw_coalition, held_pixels
from pedbench.training.data.packing import PackedScenes

_VALIDATED = 8


@dataclass(frozen=True, kw_only=True)
class InpaintingRecipe:
    """Recipe of the diffusion model, trained on pictures of one size per step, with the masks of coalitions.

    Attributes:
        boxes: Probability of a random rectangle as mask instead, as in general-purpose models.
        schedule: Steps and learning rate.
        batch: Pictures per step.
        seed: Seed of initialisation and batches.
    """

    boxes: float = 0.3
    schedule: Schedule
    batch: int = 16
    seed: int = 0


class InpaintingCourse(SceneCourse):
    """Trains the network of `InpaintMini`."""

    path = "{name}/unet/diffusion_pytorch_model.safetensors"

    def fresh(self) -> nn.Module:
        network: nn.Module = build_inpaint_mini().unet
        return network

    def make_batch(self, step: int) -> tuple[Tensor, Tensor, int]:
        rng = np.random.default_rng((self.recipe.seed, 1, step))
        return self._draw(self.training, self.batch, rng)

    def _draw(self, scenes: PackedScenes, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, int]:
        """Return pictures of one size (count, 3, h, w) in [-1, 1], masks (count, 1, h, w), 1 if hidden, and a seed."""
        height, width = (int(length) for length in scenes.sizes[rng.integers(len(scenes))])
        alike = np.flatnonzero((scenes.sizes == (height, width)).all(axis=1))
        indices = np.sort(rng.choice(alike, count, replace=len(alike) < count))
        pictures = scenes.images[indices, :height, :width].astype(np.float32) / np.float32(127.5) - 1
        mirrored = rng.random(count) < 0.5
        pictures[mirrored] = pictures[mirrored, :, ::-1]
        hidden = np.stack([self._hidden((height, width), rng) for _ in range(count)])
        size = painted_size((height, width))
        small = functional.interpolate(torch.from_numpy(pictures).permute(0, 3, 1, 2), size, mode="area")
        # Partly seen pixels count as hidden, as in the attack.
        part = functional.adaptive_avg_pool2d(torch.from_numpy(hidden.astype(np.float32))[:, None], size)
        return small.contiguous(), (part > 1e-6).float(), int(rng.integers(2**31))

    def _hidden(self, frame: tuple[int, int], rng: np.random.Generator) -> Any:
        if rng.random() >= self.recipe.boxes:
            windows = draw_coalition(frame, SAM_MINI.grid, rng)
            return ~held_pixels(windows, frame, SAM_MINI.grid)[: frame[0], : frame[1]]
        hidden = np.zeros(frame, np.bool_)
        size = [int(length * rng.uniform(0.3, 0.9)) for length in frame]
        top, left = (int(rng.integers(0, frame[axis] - size[axis] + 1)) for axis in (0, 1))
        hidden[top : top + size[0], left : left + size[1]] = True
        return hidden

    def loss(self, step: int, batch: tuple[Tensor, Tensor, int]) -> tuple[Tensor, dict[str, float]]:
        pictures, hidden, seed = batch
        generator = torch.Generator(self.device).manual_seed(seed)
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            loss = inpainting_loss(self.network, pictures.to(self.device), hidden.to(self.device), generator)
        return loss, {"velocity": float(loss.detach())}

    def scores(self, network: nn.Module) -> dict[str, float]:
        found = []
        with torch.inference_mode():
            for number in range(_VALIDATED):
                pictures, hidden, _ = self._draw(self.validation, 16, np.random.default_rng((0, 2, number)))
                generator = torch.Generator(self.device).manual_seed(number)
                loss = inpainting_loss(network, pictures.to(self.device), hidden.to(self.device), generator)
                found.append(float(loss))
        return {"velocity error": float(np.mean(found))}

    def save(self, network: nn.Module, path: Path) -> None:
        pipeline = build_inpaint_mini()
        pipeline.unet = network
        pipeline.save_pretrained(path.parent.parent)
