"""Trainings of attackers' networks of a few steps, on pictures of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pedbench.training.core.loop import Schedule
from pedbench.training.fine_tuning.attacker_course import AttackerRecipe
from pedbench.training.fine_tuning.attackers import train_attacker
from pedbench.training.fine_tuning.run import FineTuning
from tests.conftest import PHOTOGRAPHS

STEPS = 4


def make_pictures(folder: Path, count: int = 6) -> Path:
    """Fill a folder with photographs where they are present, else with pictures of random gradients."""
    folder.mkdir()
    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))[:count] if PHOTOGRAPHS.is_dir() else []
    for photograph in photographs:
        (folder / photograph.name).symlink_to(photograph)
    rng = np.random.default_rng(0)
    for index in range(count - len(photographs)):
        coarse = Image.fromarray(rng.integers(0, 256, (3, 4, 3), np.uint8))
        coarse.resize((96, 64), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def recipe(steps: int = STEPS, **changes: Any) -> AttackerRecipe:
    schedule = Schedule(steps=steps, warmup=1, decay=1.0, cosine=True, rate=changes.pop("rate", 1e-3))
    settings = {"schedule": schedule, "batch": 2, "held_out": 1, "every": 2, **changes}
    return AttackerRecipe(**settings)


def training(kind: str, start: str, images: Path, out: Path, **changes: Any) -> FineTuning:
    settings = {"recipe": recipe(), "cpu": True, "checkpoint_seconds": 0, "say": lambda line: None, **changes}
    return train_attacker(kind, start=start, images=images, out=out, **settings)
