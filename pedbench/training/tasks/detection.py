"""Training of the object detector: a small RT-DETR of transformers."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.measure.probe_reader import Reader
from pedbench.models.hub.detection import CANVAS
from pedbench.pictures.frame import from_uint8
from pedbench.privacy.claims import OBJECTS, held_against, planted
from pedbench.privacy.pieces import Piece
from pedbench.probes.objects import Objects
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import SceneCourse
from pedbench.training.data.collages import draw_collage
from pedbench.training.data.packing import PackedScenes
from pedbench.training.data.pictures import order
from pedbench.training.tasks.dense_detection_loss import assigned, dense_loss
from pedbench.types import Instance, Sample

_EXAMINED = 100
"""Number of validation scenes."""


@dataclass(frozen=True, kw_only=True)
class DetectorSizes:
    """Sizes of the network.

    Attributes:
        side: Side of its square input in pixels, a multiple of 32.
        stages: Channels of the backbone's stem and stages, from stride 4 on.
        depths: Residual blocks of each stage.
        width: Channels of the encoder and decoder.
        heads: Attention heads of both.
        queries: Maximum objects that it finds.
    """

    side: int = 256
    stages: tuple[int, int, int, int] = (24, 64, 128, 160)
    depths: tuple[int, int, int, int] = (1, 1, 2, 1)
    width: int = 96
    heads: int = 3
    queries: int = 60


@dataclass(frozen=True, kw_only=True)
class DetectorRecipe:
    """Recipe of a detector, trained on collages of scenes and of parts of scenes.

    Attributes:
        sizes: Sizes of the network.
        schedule: Steps and learning rate.
        batch: Collages per step.
        seed: Seed of initialisation and batches.
    """

    sizes: DetectorSizes = field(default_factory=DetectorSizes)
    schedule: Schedule
    batch: int = 16
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Collages:
    """A batch of B collages.

    Attributes:
        pixels: (B, 3, S, S) in [0, 1] at the network's resolution.
        labels: Labels for transformers: per collage `class_labels` (n,) and `boxes` (n, 4), centre and size
            relative to the canvas.
        category: (B, L) target category of each cell of the encoder's levels, -1 for none.
        boxes: (B, L, 4) target box of each cell.
    """

    pixels: Tensor
    labels: list[dict[str, Tensor]]
    category: Tensor
    boxes: Tensor


class DetectorCourse(SceneCourse):
    """Trains a `transformers.RTDetrForObjectDetection`.

    The loss is RT-DETR's, which assigns each object to one query, and, as that alone teaches little at first,
    one that has every place of the encoder near an object's centre find it (as FCOS, arXiv 1904.01355).
    """

    path = "{name}/model.safetensors"

    def prepare(self, weights: Path) -> None:
        self.network.to(memory_format=torch.channels_last)

    def fresh(self) -> nn.Module:
        from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig

        sizes: DetectorSizes = self.recipe.sizes
        names = self.training.category_names
        config = RTDetrConfig(
            backbone_config=RTDetrResNetConfig(
                embedding_size=sizes.stages[0],
                hidden_sizes=list(sizes.stages),
                depths=list(sizes.depths),
                layer_type="basic",
                out_indices=[2, 3, 4],
            ),
            freeze_backbone_batch_norms=False,
            encoder_in_channels=list(sizes.stages[1:]),
            encoder_hidden_dim=sizes.width,
            encoder_ffn_dim=2 * sizes.width,
            encoder_attention_heads=sizes.heads,
            hidden_expansion=0.5,
            d_model=sizes.width,
            decoder_in_channels=[sizes.width] * 3,
            decoder_ffn_dim=2 * sizes.width,
            decoder_attention_heads=sizes.heads,
            decoder_layers=1,
            num_queries=sizes.queries,
            num_denoising=0,
            auxiliary_loss=False,
            id2label=dict(enumerate(names)),
            label2id={name: place for place, name in enumerate(names)},
        )
        # For so few tokens the fused kernel's backward pass is several times slower on CPUs.
        config._attn_implementation = "eager"
        network: nn.Module = RTDetrForObjectDetection(config)
        for module in network.modules():
            # The library initialises the encoder's weights near 0, which blocks the signal.
            if isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)
        return network

    def make_batch(self, step: int) -> Collages:
        rng = np.random.default_rng((self.recipe.seed, 1, step))
        side = self.recipe.sizes.side
        pixels, labels, category, boxes = [], [], [], []
        for index in order(len(self.training), self.batch, self.recipe.seed, step):
            collage = draw_collage(self.training, int(index), CANVAS, rng)
            pixels.append(torch.from_numpy(collage.picture).permute(2, 0, 1))
            corner, size = collage.boxes[:, :2], collage.boxes[:, 2:]
            centred = torch.from_numpy(np.concatenate([corner + size / 2, size], axis=1) / CANVAS)
            kinds = torch.from_numpy(collage.categories)
            labels.append({"class_labels": kinds, "boxes": centred})
            of_places = assigned(kinds, centred, side)
            category.append(of_places[0])
            boxes.append(of_places[1])
        small = functional.interpolate(
            torch.stack(pixels).float(), (side, side), mode="bilinear", antialias=True
        )
        return Collages(
            pixels=(small.round() / 255).contiguous(memory_format=torch.channels_last),
            labels=labels,
            category=torch.stack(category),
            boxes=torch.stack(boxes),
        )

    def loss(self, step: int, batch: Collages) -> tuple[Tensor, dict[str, float]]:
        network: Any = self.network
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            out = network(pixel_values=batch.pixels.to(self.device))
        labels = [{key: value.to(self.device) for key, value in label.items()} for label in batch.labels]
        one_to_one, parts, _ = network.loss_function(
            out.logits.float(), labels, self.device, out.pred_boxes.float(), network.config
        )
        dense = dense_loss(
            out.enc_outputs_class.float(),
            out.enc_outputs_coord_logits.float().sigmoid(),
            batch.category.to(self.device),
            batch.boxes.to(self.device),
        )
        values = {"dense": float(dense.detach())} | {key: float(part.detach()) for key, part in parts.items()}
        return one_to_one + dense, values

    def scores(self, network: nn.Module) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            self.save(network, Path(folder) / "model.safetensors")
            return found_and_claimed(Objects(model=folder), self.validation)

    def save(self, network: nn.Module, path: Path) -> None:
        from transformers import RTDetrImageProcessor

        side = self.recipe.sizes.side
        network.save_pretrained(path.parent, safe_serialization=True)  # type: ignore[operator]
        RTDetrImageProcessor(size={"height": side, "width": side}).save_pretrained(path.parent)


def found_and_claimed(probe: Objects, scenes: PackedScenes) -> dict[str, float]:
    """Return the share of planted objects that a probe finds in undefended scenes, and its claims per scene.

    Args:
        probe: A probe before `prepare`.
        scenes: Scenes, of which the first are used.
    """
    reader = Reader(probe, "cpu")
    found, claimed = [], 0
    count = min(_EXAMINED, len(scenes))
    for index in range(count):
        height, width = (int(length) for length in scenes.sizes[index])
        labels = scenes.labels[index, :height, :width]
        sample = Sample(
            id=str(index),
            image=from_uint8(np.asarray(scenes.images[index, :height, :width])),
            instances=tuple(
                Instance(
                    id=number,
                    category=scenes.category_names[scenes.categories[index, number]],
                    mask=labels == number + 1,
                    area=float((labels == number + 1).sum()),
                )
                for number in range(int(scenes.counts[index]))
            ),
        )
        claims = reader.read(Piece(picture=sample.image, top=0, left=0), (height, width))
        claimed += len(claims)
        for secret in planted(sample, probe.reads, (height, width)).values():
            found.append(held_against(secret, claims)[OBJECTS])
    return {"objects found": float(np.mean(found)), "claims a scene": claimed / count}
