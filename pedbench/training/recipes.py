"""How the mini family is made: which network, from which start, against which teacher, for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.training.batches import Batch
from pedbench.training.loop import Schedule
from pedbench.training.prompting import decode, error_click, mask_loss


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network's training.

    Attributes:
        architecture: Name of the network's architecture.
        start: Network whose weights it starts from; none for a random start.
        teacher: Network whose image embedding it imitates; none to learn from the masks alone.
        schedule: Steps and learning rate.
        batch: Pictures a step.
        prompts: Prompted objects a picture.
        seed: Of initialisation and batches.
    """

    architecture: str
    start: str | None = None
    teacher: str | None = None
    schedule: Schedule
    batch: int = 8
    prompts: int = 8
    seed: int = 0


RECIPES = {
    "sam-mini": Recipe(architecture="sam-mini", schedule=Schedule(steps=3200)),
    "ped-mini": Recipe(
        architecture="ped-mini",
        start="sam-mini",
        teacher="sam-mini",
        schedule=Schedule(steps=1100, rate=4e-4, decay=0.5),
    ),
    "sam-tiny": Recipe(architecture="sam-tiny", schedule=Schedule(steps=1200)),
}


class DenseHead(nn.Module):
    """Category of each cell and offset to its object's centre: a dense signal that is only there to teach.

    Args:
        channels: Of the image embedding.
        categories: Number of categories without background.
    """

    def __init__(self, channels: int, categories: int) -> None:
        super().__init__()
        self.categories = categories
        self.project = nn.Conv2d(channels, 16 * (categories + 3), 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) -> logits (B, categories + 1, 4 h, 4 w) and offsets (B, 2, 4 h, 4 w)."""
        out = functional.pixel_shuffle(self.project(features), 4)
        return out[:, : self.categories + 1], out[:, self.categories + 1 :]


def embed(network: Any, images: Tensor, inside: Tensor) -> Tensor:
    """Image embeddings (B, C, h, w) of pictures, zero beyond them after normalisation as at inference."""
    features: Tensor = network.image_encoder((images - network.pixel_mean) / network.pixel_std * inside)
    return features


# Compiled on first use. Elementwise work is most of a step on CPUs; fused, a step is 1.5 times as fast.
_embed = torch.compile(embed, dynamic=False)
_decode = torch.compile(decode, dynamic=False)
_mask_loss = torch.compile(mask_loss, dynamic=False)


def training_loss(
    network: Any, dense: DenseHead, batch: Batch, mode: str, teacher: Any | None
) -> tuple[Tensor, dict[str, float]]:
    """The loss of one batch.

    Args:
        network: The network in training.
        dense: The auxiliary head.
        batch: The pictures.
        mode: "click", "box", or "clicks" (two to three clicks, each further one where the mask is wrong).
        teacher: Its image embeddings are imitated.

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
            goal = _embed(teacher, batch.images, batch.inside).float()
        distance = functional.mse_loss(features.float(), goal) / goal.var()
        loss = loss + 2 * distance
        values["distance"] = float(distance.detach())
    return loss, values
