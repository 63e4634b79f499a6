"""Recipes of the mini family's networks, by the names of `pedbench train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pedbench.models.attackers.restoration import RestorationSizes
from pedbench.models.attackers.split_decoding import SplitDecoderSizes
from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import Course, SceneCourse, TrainingScenes
from pedbench.training.data.packing import PackedScenes
from pedbench.training.tasks.context import ContextCourse, ContextRecipe
from pedbench.training.tasks.detection import DetectorCourse, DetectorRecipe
from pedbench.training.tasks.diffusion import InpaintingCourse, InpaintingRecipe
from pedbench.training.tasks.feature_decoding import FeatureDecodingCourse, FeatureDecodingRecipe
from pedbench.training.tasks.feature_noise import FeatureNoiseCourse, FeatureNoiseRecipe
from pedbench.training.tasks.masked_autoencoder import AutoencoderCourse, AutoencoderRecipe
from pedbench.training.tasks.perceptual import PerceptualCourse, PerceptualRecipe
from pedbench.training.tasks.restoration import RestorationCourse, RestorationRecipe
from pedbench.training.tasks.scoring import ScoringCourse, ScoringRecipe
from pedbench.training.tasks.segmentation import SegmentationCourse, SegmentationRecipe
from pedbench.training.tasks.sharpening import SharpeningCourse, SharpeningRecipe
from pedbench.training.tasks.split_decoding import SplitDecodingCourse, SplitDecodingRecipe

_FINE_TUNING = Schedule(steps=1100, rate=4e-4, decay=0.5)
"""Schedule of all fine-tunings of `sam-mini`, the same so that none has an advantage."""


def _tuned(defense: str, **strengths: tuple[float, float]) -> SegmentationRecipe:
    """Return the recipe of a network for what a defense sends, over a range of strengths."""
    return SegmentationRecipe(
        architecture="sam-mini",
        start="sam-mini",
        teacher="sam-mini",
        degraded_by=defense,
        strengths=strengths,
        schedule=_FINE_TUNING,
    )


RECIPES: dict[str, Any] = {
    # `sam-mini` was trained in three stages, each from the weights of the one before.
    "sam-mini-1": SegmentationRecipe(architecture="sam-mini", schedule=Schedule(steps=3200)),
    "sam-mini-2": SegmentationRecipe(
        architecture="sam-mini", start="sam-mini-1", teacher="sam-mini-1", schedule=_FINE_TUNING
    ),
    "sam-mini": SegmentationRecipe(
        architecture="sam-mini",
        start="sam-mini-2",
        schedule=Schedule(steps=3300, warmup=100, rate=8e-4, decay=0.5),
        seed=1,
    ),
    "ped-mini": SegmentationRecipe(
        architecture="ped-mini", start="sam-mini", teacher="sam-mini", schedule=_FINE_TUNING
    ),
    "sam-mini-prolonged": SegmentationRecipe(
        architecture="sam-mini", start="sam-mini", teacher="sam-mini", schedule=_FINE_TUNING
    ),
    "blur-mini": _tuned("gaussian_blur", sigma=(1 / 128, 1 / 8)),
    "pixelate-mini": _tuned("pixelate", block=(1 / 80, 1 / 5)),
    "dp-pixelate-mini": _tuned("dp_pixelate", block=(1 / 40, 1 / 5), epsilon=(1, 100)),
    "sam-tiny": SegmentationRecipe(
        architecture="sam-tiny", teacher="sam-mini", schedule=Schedule(steps=7600)
    ),
    "lpips-mini": PerceptualRecipe(schedule=Schedule(steps=2400, rate=6e-4, decay=0.5)),
    "scoring-mini": ScoringRecipe(
        scenes=TrainingScenes(seed=30, count=900), schedule=Schedule(steps=2400, rate=2e-3, decay=0.5)
    ),
    "mae-mini": AutoencoderRecipe(schedule=Schedule(steps=6000, warmup=100, decay=0.5)),
    "completion-mini": AutoencoderRecipe(
        start="mae-mini",
        kept=0,
        perceptual=0.02,
        loss_trunk="lpips-mini",
        schedule=Schedule(steps=1400, warmup=100, decay=0.75, rate=5e-4),
    ),
    "inpaint-mini": InpaintingRecipe(
        guesser="completion-mini", schedule=Schedule(steps=1500, warmup=50, decay=0.5)
    ),
    "decoder-interleaved-mini": RestorationRecipe(
        encoder="sam-mini",
        blocks=4,
        sizes=RestorationSizes(token_channels=192),
        schedule=Schedule(steps=800, warmup=100, decay=0.5),
    ),
    "decoder-ped-mini": RestorationRecipe(
        encoder="ped-mini",
        blocks=6,
        sizes=RestorationSizes(token_channels=192),
        schedule=Schedule(steps=800, warmup=100, decay=0.5),
    ),
    "decoder-split-mini": SplitDecodingRecipe(
        schedule=Schedule(steps=1100, warmup=50, decay=0.5, rate=2e-3, momentum=0.98)
    ),
    "feature-noise-mini": FeatureNoiseRecipe(
        schedule=Schedule(steps=900, warmup=50, decay=0.5, rate=2e-3, momentum=0.98)
    ),
    "decoder-feature-noise-mini": FeatureDecodingRecipe(
        sizes=SplitDecoderSizes(width=96, depth=4, rounds=1),
        schedule=Schedule(steps=900, warmup=50, decay=0.5, rate=2e-3, momentum=0.98),
    ),
    "objects-mini": DetectorRecipe(schedule=Schedule(steps=640, warmup=100, decay=0.5, momentum=0.99)),
    "context-mini": ContextRecipe(
        scenes=TrainingScenes(seed=1, count=1500),
        schedule=Schedule(steps=160, warmup=20, decay=0.6, momentum=0.95),
    ),
    "deblur-mini": SharpeningRecipe(
        schedule=Schedule(steps=450, warmup=30, rate=2e-3, decay=0.5, momentum=0.98)
    ),
}

_COURSES: dict[type, type[SceneCourse[Any]]] = {
    SegmentationRecipe: SegmentationCourse,
    RestorationRecipe: RestorationCourse,
    AutoencoderRecipe: AutoencoderCourse,
    InpaintingRecipe: InpaintingCourse,
    PerceptualRecipe: PerceptualCourse,
    ScoringRecipe: ScoringCourse,
    ContextRecipe: ContextCourse,
    DetectorRecipe: DetectorCourse,
    SharpeningRecipe: SharpeningCourse,
    SplitDecodingRecipe: SplitDecodingCourse,
    FeatureNoiseRecipe: FeatureNoiseCourse,
    FeatureDecodingRecipe: FeatureDecodingCourse,
}


def make_course(
    name: str,
    recipe: Any,
    *,
    training: PackedScenes,
    validation: PackedScenes,
    weights: Path,
    device: str,
) -> Course:
    """Set up the training of a network by its kind of recipe.

    Args:
        name: Of the network.
        recipe: One of `RECIPES`, possibly changed.
        training: Scenes to train on.
        validation: Scenes to examine on.
        weights: Folder of the weights that others start from.
        device: Where to train.
    """
    if type(recipe) not in _COURSES:
        raise TypeError(f"no course for a recipe of type {type(recipe).__name__}")
    course = _COURSES[type(recipe)]
    return course(recipe, name, training=training, validation=validation, weights=weights, device=device)
