"""Training of the perceptual trunk: a SqueezeNet that classifies the scenes' objects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import save_file
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from pedbench.metrics.learned_perceptual_similarity import LearnedPerceptualSimilarity
from pedbench.pictures.frame import from_uint8
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import SceneCourse
from pedbench.training.data.object_crops import draw_crops
from pedbench.training.data.packing import PackedScenes
from pedbench.types import Picture

STRENGTHS = {
    "blur": (0.5, 1.0, 2.0, 4.0, 8.0),
    "noise": (0.01, 0.03, 0.06, 0.12, 0.24),
    "shift": (1, 2, 4, 8, 16),
}
"""Strengths of distortions: standard deviation in pixels, standard deviation of pixels in [0, 1], and pixels."""

_EXAMINED = 40
"""Number of validation scenes for ranking distortions."""


@dataclass(frozen=True, kw_only=True)
class PerceptualRecipe:
    """Recipe of a trunk.

    Attributes:
        crop: Side in pixels of the squares around objects that it classifies.
        schedule: Steps and learning rate.
        batch: Crops per step.
        seed: Seed of initialisation and batches.
    """

    crop: int = 72
    schedule: Schedule
    batch: int = 64
    seed: int = 0


class PerceptualCourse(SceneCourse):
    """Trains torchvision's SqueezeNet 1.1, whose layers the lpips package reads."""

    def prepare(self, weights: Path) -> None:
        self.network.to(memory_format=torch.channels_last)

    def fresh(self) -> nn.Module:
        from torchvision.models import squeezenet1_1

        network: nn.Module = squeezenet1_1(num_classes=len(self.training.category_names), dropout=0.0)
        return network

    def make_batch(self, step: int) -> tuple[Tensor, Tensor]:
        return self._crops(self.training, self.batch, np.random.default_rng((self.recipe.seed, 1, step)))

    def _crops(self, scenes: PackedScenes, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return crops (count, 3, side, side) in [-1, 1] and the category of the object in the middle of each."""
        pixels, categories = draw_crops(scenes, side=self.recipe.crop, count=count, rng=rng)
        tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
        return tensor.contiguous(memory_format=torch.channels_last), torch.from_numpy(categories)

    def loss(self, step: int, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, float]]:
        pixels, categories = (part.to(self.device) for part in batch)
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            logits = self.network(pixels).float()
        loss = functional.cross_entropy(logits, categories, label_smoothing=0.05)
        right = float((logits.argmax(1) == categories).float().mean())
        return loss, {"entropy": float(loss.detach()), "accuracy": right}

    def scores(self, network: nn.Module) -> dict[str, float]:
        rng = np.random.default_rng((self.recipe.seed, 2))
        with torch.inference_mode():
            pixels, categories = self._crops(self.validation, 1000, rng)
            logits = torch.cat([network(part.to(self.device)) for part in torch.split(pixels, 100)])
        scores = {"accuracy": float((logits.argmax(1).cpu() == categories).float().mean())}
        return scores | rises(self, network, net="mini")

    def save(self, network: nn.Module, path: Path) -> None:
        state = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
        save_file({name: value for name, value in state.items() if name.startswith("features.")}, path)
        path.chmod(0o644)


def rises(course: SceneCourse[Any], network: nn.Module, net: Literal["mini", "scoring"]) -> dict[str, float]:
    """Return, per distortion, the share of pairs of strengths of which the stronger has the larger distance.

    Args:
        course: Saves the network, and has the scenes to distort.
        network: A trunk.
        net: The trunk's name as a parameter of LPIPS.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trunk.safetensors"
        course.save(network, path)
        metric = LearnedPerceptualSimilarity(net=net, weights=str(path))
        metric.prepare(course.device)
    scenes = course.validation
    ordered: dict[str, list[bool]] = {kind: [] for kind in STRENGTHS}
    for index in range(min(_EXAMINED, len(scenes))):
        height, width = scenes.sizes[index]
        picture = from_uint8(np.asarray(scenes.images[index, :height, :width]))
        whole = {"whole": np.ones(picture.shape[:2], np.bool_)}
        rng = np.random.default_rng(index)
        for kind in STRENGTHS:
            guesses = list(distorted(picture, kind, rng))
            found = [values["whole"] for values in metric(guesses, picture, whole)]
            ordered[kind] += [
                found[stronger] > found[weaker]
                for stronger in range(len(found))
                for weaker in range(stronger)
            ]
    return {f"rises with {kind}": float(np.mean(values)) for kind, values in ordered.items()}


def distorted(picture: Picture, kind: str, rng: np.random.Generator) -> Iterator[Picture]:
    """Yield a picture (H, W, 3) with increasing distortion, by the kind's `STRENGTHS`."""
    noise = rng.standard_normal(picture.shape).astype(np.float32)
    for strength in STRENGTHS[kind]:
        if kind == "blur":
            yield ndimage.gaussian_filter(picture, (strength, strength, 0), mode="nearest")
        elif kind == "noise":
            yield np.clip(picture + np.float32(strength) * noise, 0, 1)
        else:
            yield np.roll(np.pad(picture, ((0, 0), (16, 16), (0, 0)), mode="edge"), int(strength), 1)[
                :, 16:-16
            ]
