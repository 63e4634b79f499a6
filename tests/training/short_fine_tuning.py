"""A fine-tuning of a few steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pedbench.training.core.loop import Schedule
from pedbench.training.fine_tuning.distillation import DistillationRecipe
from pedbench.training.fine_tuning.ped_sam import fine_tune_ped_sam
from pedbench.training.fine_tuning.run import FineTuning

STEPS = 4


def recipe(**changes: Any) -> DistillationRecipe:
    schedule = Schedule(steps=STEPS, warmup=1, decay=1.0, cosine=True, rate=4e-4)
    return DistillationRecipe(**{"schedule": schedule, "batch": 2, "held_out": 1, "every": 2, **changes})


def fine_tuning(images: Path, out: Path, say: Any = lambda line: None, **changes: Any) -> FineTuning:
    settings = {"teacher": "sam-mini", "recipe": recipe(), "cpu": True, "checkpoint_seconds": 0, **changes}
    return fine_tune_ped_sam(images=images, out=out, say=say, **settings)
