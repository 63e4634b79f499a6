"""`pedbench train deblur`: train a network that sharpens degraded photographs."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import ModelCardData

from pedbench.fetching.digests import digest
from pedbench.models.attackers.sharpening import SharpeningSizes, load_sharpening
from pedbench.models.hub.folders import weights_file
from pedbench.models.trained import PHOTOGRAPHS
from pedbench.training.data.photograph_pictures import PhotographPictures
from pedbench.training.fine_tuning.attacker_course import (
    Attacker,
    AttackerCourse,
    AttackerRecipe,
    attacker_course,
)
from pedbench.training.fine_tuning.course import Description
from pedbench.training.fine_tuning.place import Place
from pedbench.training.tasks.sharpening import SharpeningCourse, SharpeningRecipe

FRAME = 1024
"""Longest side in pixels of the frames of official SAMs."""

_CROPS = 10
"""Crops of each frame."""


def deblur(start: str, recipe: AttackerRecipe) -> Attacker:
    """Return the sharpening network for photographs.

    Args:
        start: Sharpening network to start from: a name such as `deblur-mini`, or the path of a file; "" for a new one.
        recipe: The recipe.

    Raises:
        CheckpointError: The file is missing or of another kind.
    """
    file = weights_file(start) if start else None
    network = load_sharpening(file) if file else None
    sizes = network.sizes if network else SharpeningSizes(width=64, blocks=8)

    def make(place: Place) -> AttackerCourse:
        # The task cuts `batch / frames` crops of each frame.
        task_recipe = SharpeningRecipe(
            sizes=sizes, frames=1, batch=_CROPS, schedule=recipe.schedule, seed=recipe.seed
        )
        source = PhotographPictures(photographs=place.photographs, frame=FRAME, canvas=FRAME, side=FRAME)
        course = attacker_course(
            SharpeningCourse,
            task_recipe,
            recipe,
            place,
            source=source,
            weights=Path(),
            name=PHOTOGRAPHS,
            score="mean dB gained",
            describe=lambda task: _describe(file, task_recipe),
        )
        if network:
            course.network.load_state_dict(network.state_dict())
        return course

    return Attacker(name=PHOTOGRAPHS, start=digest(file) if file else "", course=make)


def _describe(file: Path | None, recipe: SharpeningRecipe) -> Description:
    start = f"`{file.name}`, sha256 `{digest(file)}`" if file else "random weights"
    names = ", ".join(f"`{defense}`" for defense, _ in recipe.defenses)
    return Description(
        metadata=ModelCardData(license="other", tags=["deblurring", "restoration"]),
        about="A network that sharpens pictures of known degradation, trained with `pedbench train deblur`.",
        facts={
            "start": start,
            "degradations": f"{names} at 0.5 to 2 times their default strength, on frames of {FRAME} pixels",
            "crops": f"{recipe.batch} of {recipe.crop} x {recipe.crop} pixels of each picture",
            "loss": "squared and absolute error",
        },
        scores="The values are gains of PSNR over the linear estimate in dB, at the default strengths. Step 0 is the "
        "start; random weights return the linear estimate.",
        use=f"The attack `deblur(method=learned)` loads `{PHOTOGRAPHS}.safetensors` by its parameter `model`: its "
        f"path, or in `$PEDBENCH_HOME` the name `{PHOTOGRAPHS}`.",
    )
