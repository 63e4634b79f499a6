"""Distillation of a Segment Anything encoder into the same encoder in PED order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from huggingface_hub import ModelCardData
from torch import Tensor, nn
from torch.nn import functional

from pedbench.fetching.digests import digest
from pedbench.fetching.fetch import verified
from pedbench.models.manifest import ASSETS
from pedbench.models.sam.architectures import Architecture
from pedbench.models.sam.assembly import build_sam
from pedbench.models.sam.checkpoints import load_sam, save_sam
from pedbench.models.sam.reorder import reorder
from pedbench.training.data.photographs import Frames, Photographs
from pedbench.training.data.prompting import Prompts, decode_masks, mask_loss
from pedbench.training.fine_tuning.course import Description, FineTuningCourse, FineTuningRecipe, Part
from pedbench.training.fine_tuning.memory_estimate import activation_bytes
from pedbench.training.fine_tuning.teacher_agreement import Retention

_HUB = {"vit_b": "facebook/sam-vit-base", "vit_l": "facebook/sam-vit-large", "vit_h": "facebook/sam-vit-huge"}


@dataclass(frozen=True, kw_only=True)
class DistillationRecipe(FineTuningRecipe):
    """Recipe for fine-tuning a network in PED order.

    Attributes:
        masks: Additional loss on the frozen decoder's masks: `teacher` compares with the teacher's masks at random
            places, `annotations` with the clicked annotated objects; None for no such loss.
        points: Prompts per picture for that loss.
    """

    masks: Literal["teacher", "annotations"] | None = None
    points: int = 8


def _embed(encoder: Any, mean: Tensor, std: Tensor, images: Tensor, inside: Tensor) -> Tensor:
    features: Tensor = encoder((images - mean) / std * inside)
    return features


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Compute the squared error of image embeddings (B, C, h, w), relative to the teacher's variance."""
    goal = teacher.float()
    return functional.mse_loss(student.float(), goal) / goal.var()


def mask_agreement_loss(network: Any, student: Tensor, teacher: Tensor, points: Tensor) -> Tensor:
    """Compare one decoder's masks of two image embeddings: cross-entropy, dice and predicted IoU.

    Args:
        network: The `segment_anything.modeling.Sam` with the decoder.
        student: (B, C, h, w).
        teacher: (B, C, h, w), the target.
        points: (B, P, 2) x, y of clicks in pixels of the canvas.
    """
    prompts = _clicks(points)
    with torch.no_grad():
        masks, sure = (out.float() for out in decode_masks(network, teacher, prompts))
        goal = masks.sigmoid()
    logits, predicted = (out.float() for out in decode_masks(network, student, prompts))
    entropy = functional.binary_cross_entropy_with_logits(logits, goal)
    probability = logits.sigmoid()
    overlap, sizes = (probability * goal).sum((2, 3)), (probability + goal).sum((2, 3))
    dice = 1 - (2 * overlap + 1) / (sizes + 1)
    return entropy + dice.mean() + functional.mse_loss(predicted, sure)


def annotated_mask_loss(network: Any, student: Tensor, points: Tensor, targets: Tensor) -> Tensor:
    """Compare the decoder's masks of an image embedding with those of annotated objects.

    Args:
        network: The `segment_anything.modeling.Sam` with the decoder.
        student: (B, C, h, w).
        points: (B, P, 2) x, y of a click in each object, in pixels of the canvas.
        targets: (B, P, 4 h, 4 w) share of each cell that the object covers; zero without an object.
    """
    goals = targets.flatten(0, 1)
    logits, predicted = decode_masks(network, student, _clicks(points))
    loss, _ = mask_loss(logits, predicted, goals, valid=(goals.amax((1, 2)) > 0).float())
    return loss


def _clicks(points: Tensor) -> Prompts:
    """Convert points (B, P, 2) to prompts of a click and the empty second point that SAM adds."""
    clicks = points.flatten(0, 1)[:, None]
    labels = torch.tensor([1, -1], device=points.device).expand(len(clicks), 2)
    return Prompts(points=torch.cat([clicks, torch.zeros_like(clicks)], dim=1), labels=labels)


class DistillationCourse(FineTuningCourse):
    """Fine-tunes an encoder in PED order to the image embeddings of the original; the decoder stays as it is.

    Args:
        recipe: How.
        name: Of the network.
        teacher: Checkpoint of the original network.
        architecture: That network's sizes.
        photographs: The pictures.
        accelerator: Devices, processes and number format.
        at_once: Pictures that a process computes on together; a step's others follow, their gradients added.
        compiled: Whether the encoders are compiled, which pays in long trainings.
    """

    def __init__(
        self,
        recipe: DistillationRecipe,
        *,
        name: str,
        teacher: Path,
        architecture: Architecture,
        photographs: Photographs,
        accelerator: Accelerator,
        at_once: int,
        compiled: bool,
    ) -> None:
        self.recipe, self.schedule, self.batch = recipe, recipe.schedule, recipe.batch
        self.name, self.architecture = name, architecture.reordered(name)
        self.file = f"{name}.safetensors"
        self.accelerator = accelerator
        self._photographs, self._at_once, self._teacher_file = photographs, at_once, teacher
        self._teacher_name = architecture.name
        self.teacher: Any = load_sam(teacher, architecture).requires_grad_(False).to(accelerator.device)
        # Loaded weights are mapped to their file, so the student is a copy.
        student = load_sam(teacher, architecture)
        reorder(student.image_encoder)
        network: Any = build_sam(self.architecture)
        network.load_state_dict(student.state_dict())
        network.requires_grad_(False).image_encoder.requires_grad_(True).train()
        self.network = network.to(accelerator.device)
        self.frozen = {"teacher": self.teacher}
        self.score = Retention.score(photographs)
        self.auxiliary = nn.Module()
        self._encoder: Any = network.image_encoder
        if accelerator.num_processes > 1:
            self._encoder = accelerator.prepare(self._encoder)
        self._embed: Callable[..., Tensor] = torch.compile(_embed, dynamic=False) if compiled else _embed
        self._retention: Retention | None = None

    @property
    def retention(self) -> Retention:
        """The validation; evaluates the teacher on first use."""
        if self._retention is None:
            self._retention = Retention(self._photographs, self.teacher, self.accelerator)
        return self._retention

    @property
    def parallel(self) -> Any:
        return self._encoder

    def make_batch(self, step: int) -> list[Part]:
        share = self.batch // self.accelerator.num_processes
        first = share * self.accelerator.process_index
        frames = self._photographs.batch(
            step,
            size=self.batch,
            part=slice(first, first + share),
            canvas=self.architecture.image_size,
            points=self.recipe.points if self.recipe.masks else 0,
            objects=self.recipe.masks == "annotations",
        )
        parts = [frames.part(first, first + self._at_once) for first in range(0, share, self._at_once)]
        return [Part(len(part) / share, part) for part in parts]

    def losses(self, step: int, content: Frames) -> tuple[Tensor, dict[str, float]]:
        losses = self._losses(content)
        return torch.stack([*losses.values()]).sum(), {
            name: float(value.detach()) for name, value in losses.items()
        }

    def picture_bytes(self) -> int:
        points = self.recipe.points if self.recipe.masks else 0
        return activation_bytes(self.architecture, self.recipe.precision, points)

    def _losses(self, part: Frames) -> dict[str, Tensor]:
        images, inside = part.pixels(self.accelerator.device)
        statistics = (self.teacher.pixel_mean, self.teacher.pixel_std)
        with self.accelerator.autocast():
            with torch.no_grad():
                goal = self._embed(self.teacher.image_encoder, *statistics, images, inside)
            features = self._embed(self._encoder, *statistics, images, inside)
            losses = {"distance": distillation_loss(features, goal)}
            points = part.points.to(images.device)
            if self.recipe.masks == "teacher":
                losses["masks"] = mask_agreement_loss(self.network, features, goal, points)
            elif self.recipe.masks == "annotations":
                targets = part.targets.to(images.device)
                losses["masks"] = annotated_mask_loss(self.network, features, points, targets)
        return losses

    def fresh(self) -> nn.Module:
        network: nn.Module = build_sam(self.architecture, allocate=False)
        return network

    def averaged(self, average: dict[str, Tensor]) -> Any:
        """Return a network that shares the memory of the averaged weights."""
        network = self.fresh()
        network.load_state_dict(average, assign=True)
        return network.requires_grad_(False).to(self.accelerator.device)

    def scores(self, network: nn.Module) -> dict[str, float]:
        return self.retention.scores(network)

    def save(self, network: nn.Module, path: Path) -> None:
        save_sam(network, path)

    def describe(self) -> Description:
        file, masks = self._teacher_file, self.recipe.masks
        official = verified(file) or file.parent == ASSETS
        loss = "image embeddings"
        if masks:
            targets = {"teacher": "those of the teacher", "annotations": "annotated objects"}[masks]
            loss += f", and masks by the frozen decoder against {targets}"
        return Description(
            metadata=ModelCardData(
                license="apache-2.0" if official else "other",
                base_model=_HUB.get(self._teacher_name) if official else None,
                library_name="segment-anything",
                pipeline_tag="mask-generation",
                tags=["segment-anything", "ped-sam", "distillation"],
            ),
            about=f"The image encoder of `{self._teacher_name}` with its blocks in PED order (window blocks first, "
            "global blocks last), fine-tuned by distillation with `pedbench train ped-sam`. Prompt encoder and mask "
            "decoder are the teacher's.",
            facts={"teacher": f"`{self._teacher_name}`, sha256 `{digest(file)}`", "loss": loss},
            scores="`agreement` is the IoU with the teacher's masks at a 4 x 4 grid of points; `retention` is mIoU "
            "after one click over that of the teacher. Step 0 is the teacher with its blocks re-ordered.",
            use=f"As `{self.name}/{self.file}` in `$PEDBENCH_HOME` it is what `weights=fine-tuned` means to pedbench. "
            "The tensors are named as in official SAM checkpoints; the encoder is built with its global blocks last.",
        )
