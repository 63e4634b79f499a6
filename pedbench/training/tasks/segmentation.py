"""Training of the Segment Anything networks, from random or given weights, with or without a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.manifest import manifest_entry
from pedbench.models.sam.architectures import Architecture, architecture
from pedbench.models.sam.assembly import build_sam
from pedbench.models.sam.checkpoints import load_sam, save_sam
from pedbench.models.sam.reorder import block_order
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import SceneCourse
from pedbench.training.data.batches import Batch, make_batch
from pedbench.training.data.degrading import Degrade, degrading
from pedbench.training.data.prompting import decode_masks, error_click, mask_loss
from pedbench.training.tasks.validation import one_click_scores

MODES = ("click", "click", "click", "box", "clicks")
"""Kinds of prompts, one per step in turn."""


@dataclass(frozen=True, kw_only=True)
class SegmentationRecipe:
    """Recipe of a Segment Anything network.

    Attributes:
        architecture: Name of the network's architecture.
        start: Network with the initial weights; None for random ones.
        teacher: Network whose image embedding of the sharp picture it imitates; None to learn from masks only.
        degraded_by: Defense that degrades its pictures, in its default configuration; None for sharp ones.
        strengths: By parameter of that defense, the range from which training draws a value for each picture,
            uniformly on a logarithmic scale. Validation has the defaults.
        schedule: Steps and learning rate.
        batch: Pictures per step.
        prompts: Prompted objects per picture.
        seed: Seed of initialisation and batches.
    """

    architecture: str
    start: str | None = None
    teacher: str | None = None
    degraded_by: str | None = None
    strengths: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    schedule: Schedule
    batch: int = 8
    prompts: int = 8
    seed: int = 0


class DenseHead(nn.Module):
    """Auxiliary head for training only: category of each cell and offset to its object's centre.

    Attributes:
        imitate: Maps the image embedding to the teacher's channels.

    Args:
        channels: Channels of the image embedding.
        categories: Number of categories without background.
        teacher_channels: Channels of the teacher's image embedding; None for `channels`.
    """

    def __init__(self, channels: int, categories: int, teacher_channels: int | None = None) -> None:
        super().__init__()
        self.categories = categories
        self.project = nn.Conv2d(channels, 16 * (categories + 3), 1)
        same = teacher_channels in (None, channels)
        self.imitate = nn.Identity() if same else nn.Conv2d(channels, teacher_channels or channels, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (B, C, h, w) to logits (B, categories + 1, 4 h, 4 w) and offsets (B, 2, 4 h, 4 w)."""
        out = functional.pixel_shuffle(self.project(features), 4)
        return out[:, : self.categories + 1], out[:, self.categories + 1 :]


def embed(network: Any, images: Tensor, inside: Tensor) -> Tensor:
    """Compute image embeddings (B, C, h, w) of pictures, with zero padding after normalisation as at inference."""
    features: Tensor = network.image_encoder((images - network.pixel_mean) / network.pixel_std * inside)
    return features


# Compiled on first use. Elementwise operations dominate on CPUs; fused, a step is 1.5 times as fast.
_embed = torch.compile(embed, dynamic=False)
_decode = torch.compile(decode_masks, dynamic=False)
_mask_loss = torch.compile(mask_loss, dynamic=False)


def training_loss(
    network: Any, dense: DenseHead, batch: Batch, mode: str, teacher: Any | None
) -> tuple[Tensor, dict[str, float]]:
    """Compute the loss of one batch.

    Args:
        network: The network in training.
        dense: The auxiliary head.
        batch: The pictures.
        mode: "click", "box", or "clicks" (two to three clicks, each further one where the mask is wrong).
        teacher: Network whose image embeddings are imitated; None for no such loss.

    Returns:
        The loss, and values to log.
    """
    device_type = next(network.parameters()).device.type
    with torch.autocast(device_type, torch.bfloat16):
        features = _embed(network, batch.images, batch.inside)
        prompts, mask_input = (batch.boxes if mode == "box" else batch.clicks), None
        if mode == "clicks":
            generator = torch.Generator().manual_seed(batch.generator_seed)
            for _ in range(1 + batch.generator_seed % 2):
                with torch.no_grad():
                    logits, predicted = _decode(network, features.detach(), prompts, mask_input)
                    draw = torch.rand(len(logits), logits[0, 0].numel(), generator=generator)
                    point, label, mask_input = error_click(
                        logits,
                        predicted,
                        batch.targets,
                        network.image_encoder.img_size,
                        draw.to(logits.device),
                    )
                    prompts = prompts.with_click(point, label)
        logits, predicted = _decode(network, features, prompts, mask_input)
        category, offset = dense(features)
    masks, iou = _mask_loss(logits, predicted, batch.targets, batch.valid)
    semantic = functional.cross_entropy(category.float(), batch.category)
    foreground = (batch.category > 0)[:, None]
    centre = ((offset.float() - batch.offset).abs() * foreground).sum() / foreground.sum().clamp(min=1)
    loss = masks + 0.5 * semantic + 0.5 * centre
    values = {
        "iou": float((iou * batch.valid).sum() / batch.valid.sum()),
        "masks": float(masks.detach()),
        "semantic": float(semantic.detach()),
        "centre": float(centre.detach()),
    }
    if teacher is not None:
        with torch.no_grad(), torch.autocast(device_type, torch.bfloat16):
            goal = _embed(teacher, batch.sharp, batch.inside).float()
        with torch.autocast(device_type, torch.bfloat16):
            imitated = dense.imitate(features)
        distance = functional.mse_loss(imitated.float(), goal) / goal.var()
        loss = loss + 2 * distance
        values["distance"] = float(distance.detach())
    return loss, values


class SegmentationCourse(SceneCourse):
    """Trains a `segment_anything.modeling.Sam`."""

    def prepare(self, weights: Path) -> None:
        recipe, target = self.recipe, architecture(self.recipe.architecture)
        self.network.train()
        if recipe.start is not None:
            source, started = _load(recipe.start, weights)
            if target.global_blocks != source.global_blocks:
                order = block_order(source.depth, source.global_blocks)
                started.image_encoder.blocks = nn.ModuleList(started.image_encoder.blocks[i] for i in order)
            self.network.load_state_dict(started.state_dict())
        self._teacher: Any = None
        channels = None
        if recipe.teacher is not None:
            imitated, teacher = _load(recipe.teacher, weights)
            self._teacher, channels = teacher.to(self.device).requires_grad_(False), imitated.neck_channels
        self._degrade: Degrade | None = None
        self._degrade_as_deployed: Degrade | None = None
        if recipe.degraded_by is not None:
            self._degrade = degrading(recipe.degraded_by, recipe.strengths)
            self._degrade_as_deployed = degrading(recipe.degraded_by, {})
        self._dense = DenseHead(target.neck_channels, len(self.training.category_names), channels)
        self.auxiliary = self._dense.to(self.device)

    def fresh(self) -> nn.Module:
        network: nn.Module = build_sam(architecture(self.recipe.architecture))
        return network

    def make_batch(self, step: int) -> Batch:
        recipe = self.recipe
        return make_batch(
            self.training,
            size=recipe.batch,
            prompts=recipe.prompts,
            seed=recipe.seed,
            step=step,
            degrade=self._degrade,
        )

    def loss(self, step: int, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        mode = MODES[step % len(MODES)]
        return training_loss(self.network, self._dense, batch.to(self.device), mode, self._teacher)

    def scores(self, network: nn.Module) -> dict[str, float]:
        return one_click_scores(network, self.validation, degrade=self._degrade_as_deployed)

    def save(self, network: nn.Module, path: Path) -> None:
        save_sam(network, path)


def _load(name: str, weights: Path) -> tuple[Architecture, Any]:
    """Return a trained network of the family, and its sizes, which its recipe in the manifest names."""
    sizes = architecture(manifest_entry(name, weights).get("recipe", {}).get("architecture", name))
    return sizes, load_sam(weights / f"{name}.safetensors", sizes)
