"""Training of the scoring trunk: it recognises objects in distorted crops, and how these were distorted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.sam.checkpoints import write_safetensors
from pedbench.models.scoring_trunk import CHANNELS, ScoringTrunk
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import SceneCourse, TrainingScenes
from pedbench.training.data.distortions import KINDS, STRENGTHS
from pedbench.training.data.object_crops import draw_crops
from pedbench.training.data.packing import PackedScenes
from pedbench.training.tasks.perceptual import rises

_PLAIN = 0.25
"""Share of crops that are not distorted."""

_UNKNOWN = -100
"""Label of the strength of crops that are not distorted: it does not count."""


@dataclass(frozen=True, kw_only=True)
class ScoringRecipe:
    """Recipe of the scoring trunk.

    Attributes:
        scenes: Scenes to train on, which no other network has seen.
        crop: Side in pixels of the squares around objects.
        schedule: Steps and learning rate.
        batch: Crops per step.
        seed: Seed of initialisation and batches.
    """

    scenes: TrainingScenes
    crop: int = 64
    schedule: Schedule
    batch: int = 64
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Crops:
    """Distorted crops with the answers that are asked of them.

    Attributes:
        pixels: (B, 3, S, S) in [-1, 1].
        categories: (B,) category index of the object in the middle.
        kinds: (B,) 0 for crops that are not distorted, else 1 + the index in `KINDS`.
        strengths: (B,) index of the strength, or -100 for crops that are not distorted.
    """

    pixels: Tensor
    categories: Tensor
    kinds: Tensor
    strengths: Tensor


class Examined(nn.Module):
    """The trunk with a linear classifier for each of three questions: category, kind and strength."""

    def __init__(self, categories: int) -> None:
        super().__init__()
        self.trunk = ScoringTrunk()
        answers = (categories, 1 + len(KINDS), STRENGTHS)
        self.heads = nn.ModuleList(nn.Linear(sum(CHANNELS), count) for count in answers)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the logits (B, answers) of each question, from the mean features of all stages."""
        means = torch.cat([features.mean((2, 3)) for features in self.trunk(pixels)], dim=1)
        return [head(means) for head in self.heads]


class ScoringCourse(SceneCourse):
    """Trains a `ScoringTrunk`; its classifiers are discarded."""

    def prepare(self, weights: Path) -> None:
        self.network.to(memory_format=torch.channels_last)

    def fresh(self) -> nn.Module:
        return Examined(len(self.training.category_names))

    def make_batch(self, step: int) -> Crops:
        return self._crops(self.training, self.batch, np.random.default_rng((self.recipe.seed, 1, step)))

    def _crops(self, scenes: PackedScenes, count: int, rng: np.random.Generator) -> Crops:
        crops, categories = draw_crops(scenes, side=self.recipe.crop, count=count, rng=rng)
        kinds, strengths = np.zeros(count, np.int64), np.full(count, _UNKNOWN)
        for place in range(round(_PLAIN * count), count):
            kinds[place], strengths[place] = 1 + rng.integers(len(KINDS)), rng.integers(STRENGTHS)
            distort, values = list(KINDS.values())[kinds[place] - 1]
            crops[place] = distort(crops[place], values[strengths[place]], rng)
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2) / 127.5 - 1
        return Crops(
            pixels=pixels.contiguous(memory_format=torch.channels_last),
            categories=torch.from_numpy(categories),
            kinds=torch.from_numpy(kinds),
            strengths=torch.from_numpy(strengths),
        )

    def loss(self, step: int, batch: Crops) -> tuple[Tensor, dict[str, float]]:
        logits = self.network(batch.pixels.to(self.device))
        labels = [labels.to(self.device) for labels in (batch.categories, batch.kinds, batch.strengths)]
        entropies = [
            functional.cross_entropy(found, label, ignore_index=_UNKNOWN, label_smoothing=0.05)
            for found, label in zip(logits, labels, strict=True)
        ]
        detached = [entropy.detach() for entropy in entropies]
        values = dict(zip(("category", "kind", "strength"), map(float, detached), strict=True))
        return torch.stack(entropies).sum(), values

    def scores(self, network: nn.Module) -> dict[str, float]:
        with torch.inference_mode():
            crops = self._crops(self.validation, 1000, np.random.default_rng((self.recipe.seed, 2)))
            parts = [network(part.to(self.device)) for part in torch.split(crops.pixels, 100)]
        answers = [torch.cat(found).argmax(1).cpu() for found in zip(*parts, strict=True)]
        distorted = crops.kinds > 0
        right = [
            found == true
            for found, true in zip(answers, (crops.categories, crops.kinds, crops.strengths), strict=True)
        ]
        scores = {
            "category": float(right[0].float().mean()),
            "undistorted category": float(right[0][~distorted].float().mean()),
            "kind": float(right[1].float().mean()),
            "strength": float(right[2][distorted].float().mean()),
        }
        return scores | rises(self, network, net="scoring")

    def save(self, network: nn.Module, path: Path) -> None:
        """Write the trunk's weights, its normalisations folded into the convolutions, in half precision's values."""
        state = cast(Examined, network).trunk.fuse().state_dict()
        write_safetensors(
            path, {name: value.cpu().half().float().contiguous() for name, value in state.items()}
        )
