"""Training of the context network: categories of the objects that a coalition does not see."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.attackers.context import (
    DETECTOR,
    ContextNetwork,
    ContextSizes,
    cell_shares,
    detector_features,
)
from pedbench.models.attackers.sized import save_sized
from pedbench.models.hub.detection import load_detector
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.offload.passes.assignment import assign
from pedbench.privacy.claims import LEAST_AREA
from pedbench.privacy.hidden_categories import MOST_SEEN, bits_over_prior, mean_average_precision
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import SceneCourse, TrainingScenes
from pedbench.training.data.coalition_masks import held_pixels
from pedbench.training.data.packing import PackedScenes
from pedbench.training.data.pictures import order
from pedbench.types import Mask, Picture

SERVERS = 3
"""Servers of `ped_sam`, one of which sees each view."""

_TOGETHER = 16
"""Views whose features are computed at once, always the same ones: rounding depends on it."""

_EXAMINED = 50
"""Validation views that are guessed at a time."""


@dataclass(frozen=True, kw_only=True)
class ContextRecipe:
    """Recipe of the context network.

    Attributes:
        scenes: Scenes to train on.
        sizes: Sizes of the network.
        views: Views of each scene.
        schedule: Steps and learning rate.
        batch: Views in a step.
        seed: Seed of initialisation and batches.
    """

    scenes: TrainingScenes
    sizes: ContextSizes = field(default_factory=ContextSizes)
    views: int = 1
    schedule: Schedule
    batch: int = 64
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Views:
    """Views of servers with what is hidden from them.

    Attributes:
        features: (B, C, cells, cells) float16 features of the visible parts, of `detector_features`.
        visible: (B, 1, cells, cells) visible share of each cell.
        inside: (B, 1, cells, cells) share of each cell inside the frame.
        present: (B, K) 1 for hidden categories.
    """

    features: Tensor
    visible: Tensor
    inside: Tensor
    present: Tensor


class ContextCourse(SceneCourse):
    """Trains a `ContextNetwork` on what single servers of `ped_sam` see.

    Each scene has a fixed number of views, whose features are computed once and kept in memory.
    """

    def prepare(self, weights: Path) -> None:
        self._detector: Any = load_detector(str(weights / DETECTOR), self.device).network
        self._known: dict[int, Views] = {}

    def fresh(self) -> nn.Module:
        return ContextNetwork(self.recipe.sizes)

    def make_batch(self, step: int) -> Views:
        count = self.recipe.views * len(self.training)
        chosen = order(count, self.batch, self.recipe.seed, step).tolist()
        for number in chosen:
            if number not in self._known:
                first = number - number % _TOGETHER
                block = list(range(first, min(first + _TOGETHER, count)))
                views = self._views(self.training, block, stream=1, mirror=True)
                self._known |= dict(zip(block, _apart(views), strict=True))
        return _together([self._known[number] for number in chosen])

    def loss(self, step: int, batch: Views) -> tuple[Tensor, dict[str, float]]:
        # Dropout is a function of the step, so that resuming changes nothing.
        with torch.random.fork_rng():
            torch.manual_seed(step)
            logits = self._logits(self.network, batch)
        loss = functional.binary_cross_entropy_with_logits(logits, batch.present.to(self.device))
        return loss, {"cross-entropy": float(loss.detach())}

    def _logits(self, network: nn.Module, batch: Views) -> Tensor:
        parts = (batch.features.float(), batch.visible, batch.inside)
        logits: Tensor = network(*(part.to(self.device) for part in parts))
        return logits

    def _views(self, scenes: PackedScenes, numbers: list[int], *, stream: int, mirror: bool) -> Views:
        """Return views by number; those of a scene are as many scenes apart."""
        seeds = [(self.recipe.seed, stream, number) for number in numbers]
        samples = [
            _draw(scenes, number % len(scenes), np.random.default_rng(seed), mirror)
            for number, seed in zip(numbers, seeds, strict=True)
        ]
        pictures, visible, inside, present = (
            torch.from_numpy(np.stack(parts).astype(np.float32)) for parts in zip(*samples, strict=True)
        )
        planes = pictures.permute(0, 3, 1, 2).to(self.device)
        features = detector_features(self._detector, planes, visible[:, None].to(self.device))
        cells = self.recipe.sizes.cells
        return Views(
            features=features.half().cpu(),
            visible=cell_shares(visible[:, None], cells),
            inside=cell_shares(inside[:, None], cells),
            present=present,
        )

    def scores(self, network: nn.Module) -> dict[str, float]:
        guessed, present = [], []
        with torch.inference_mode():
            for first in range(0, len(self.validation), _EXAMINED):
                numbers = list(range(first, min(first + _EXAMINED, len(self.validation))))
                batch = self._views(self.validation, numbers, stream=2, mirror=False)
                guessed.append(torch.sigmoid(self._logits(network, batch)).cpu())
                present.append(batch.present > 0)
        probabilities = torch.cat(guessed).double().clamp(1e-6, 1 - 1e-6).numpy()
        truth = torch.cat(present).numpy()
        prior = (truth.sum(axis=0) + 0.5) / (len(truth) + 1)
        return {
            "mAP": mean_average_precision(probabilities, truth),
            "prior mAP": mean_average_precision(np.broadcast_to(prior, truth.shape), truth),
            "bits over the validation views' own rates": float(
                bits_over_prior(probabilities, prior, truth).mean()
            ),
        }

    def save(self, network: nn.Module, path: Path) -> None:
        save_sized(network, path)


def hidden_in_labels(scenes: PackedScenes, index: int, visible: Mask) -> Mask:
    """Return (K,) the categories hidden from a coalition in a packed scene, by the rule of `hidden_categories`.

    Args:
        visible: (S, S) bool on the canvas.
    """
    labels, count = scenes.labels[index], int(scenes.counts[index])
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1 : count + 1]
    seen = np.bincount(labels[visible], minlength=count + 1)[1 : count + 1]
    hidden = (areas >= LEAST_AREA) & (seen <= MOST_SEEN * areas)
    present = np.zeros(len(scenes.category_names), np.bool_)
    present[scenes.categories[index, :count][hidden]] = True
    return present


def _draw(
    scenes: PackedScenes, index: int, rng: np.random.Generator, mirror: bool
) -> tuple[Picture, Mask, Mask, Mask]:
    """Draw a server for a scene, mirrored at random: its canvas, what is visible and inside, what is hidden."""
    height, width = (int(length) for length in scenes.sizes[index])
    frame = np.s_[:height, :width]
    windows = assign("dispersed", SAM_MINI.grid.active((height, width)), SERVERS, rng)
    shown = held_pixels(windows[int(rng.integers(SERVERS))], (height, width), SAM_MINI.grid)[frame]
    turn = np.s_[:, ::-1] if mirror and rng.random() < 0.5 else np.s_[:, :]
    picture = np.zeros(scenes.images.shape[1:], np.float32)
    visible, inside, unmirrored = (np.zeros(scenes.labels.shape[1:], np.bool_) for _ in range(3))
    picture[frame] = scenes.images[index][frame][turn] / np.float32(255)
    visible[frame], inside[frame] = shown, True
    # A mirrored scene under a mask hides what the scene under the mirrored mask hides.
    unmirrored[frame] = shown[turn]
    return picture, visible, inside, hidden_in_labels(scenes, index, unmirrored)


def _apart(views: Views) -> list[Views]:
    return [
        Views(**{each.name: getattr(views, each.name)[place : place + 1] for each in fields(Views)})
        for place in range(len(views.present))
    ]


def _together(views: list[Views]) -> Views:
    return Views(
        **{each.name: torch.cat([getattr(view, each.name) for view in views]) for each in fields(Views)}
    )
