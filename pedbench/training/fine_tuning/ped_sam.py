"""`pedbench train ped-sam`: fine-tune a Segment Anything network in PED order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pedbench.fetching.digests import digest
from pedbench.host.home import home
from pedbench.models.manifest import ASSETS
from pedbench.models.sam.architectures import SAM_MINI, VIT_B, VIT_H, VIT_L
from pedbench.models.sam.checkpoints import recognise
from pedbench.training.fine_tuning.distillation import DistillationCourse, DistillationRecipe
from pedbench.training.fine_tuning.place import make_place
from pedbench.training.fine_tuning.run import FineTuning

TEACHERS = (VIT_B, VIT_L, VIT_H, SAM_MINI)


def fine_tune_ped_sam(
    *,
    teacher: str,
    images: Path,
    annotations: Path | None = None,
    out: Path | None = None,
    recipe: DistillationRecipe,
    at_once: int | None = None,
    cpu: bool = False,
    compiled: bool = False,
    checkpoint_seconds: float = 600,
    say: Callable[[str], None] = print,
) -> FineTuning:
    """Set up a fine-tuning in PED order.

    Args:
        teacher: Checkpoint of an original SAM, or `sam-mini`.
        images: Folder of pictures.
        annotations: COCO's instances file of pictures in it, for validation by mIoU and for the recipe's mask loss.
        out: Folder of the weights, their model card and, in `training/`, the state; by default in pedbench's home,
            where `family` looks for them.
        recipe: The recipe.
        at_once: Pictures that a process computes together; by default its whole share.
        cpu: Whether to compute on the CPU only.
        compiled: Whether to compile the encoders.
        checkpoint_seconds: Seconds between checkpoints of up to gigabytes. A signal to stop writes one at once.
        say: Called with lines of progress.

    Raises:
        ValueError: The settings are invalid, or `out` contains another training.
        CheckpointError: The teacher is no SAM in the original block order.
        DatasetError: The pictures are unusable or too few.
    """
    if recipe.masks == "annotations" and annotations is None:
        raise ValueError("--mask-loss annotations needs --annotations FILE.")
    file = ASSETS / "sam-mini.safetensors" if teacher == "sam-mini" else Path(teacher).expanduser()
    architecture = recognise(file, TEACHERS)
    place = make_place(recipe, images, annotations, at_once=at_once, cpu=cpu, say=say)
    name = f"ped-{architecture.name.removeprefix('sam-')}"

    def make_course() -> DistillationCourse:
        return DistillationCourse(
            recipe,
            name=name,
            teacher=file,
            architecture=architecture,
            photographs=place.photographs,
            accelerator=place.accelerator,
            at_once=place.at_once,
            compiled=compiled,
        )

    return FineTuning(
        make_course,
        place,
        recipe,
        out=out or home() / name,
        settings={"teacher": digest(file)},
        checkpoint_seconds=checkpoint_seconds,
    )
