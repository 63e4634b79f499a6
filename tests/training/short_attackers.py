"""Trainings of attackers' networks of a few steps, on pictures of a folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from pedbench.scenes.store import write_split
from pedbench.training.core.loop import Schedule
from pedbench.training.fine_tuning.attacker_course import AttackerRecipe
from pedbench.training.fine_tuning.attackers import train_attacker
from pedbench.training.fine_tuning.run import FineTuning
from tests.conftest import PHOTOGRAPHS
from tests.made_models import make_sam

STEPS = 4


def make_pictures(folder: Path, count: int = 6) -> Path:
    """Return a folder of photographs where they are present, else of scenes."""
    if not PHOTOGRAPHS.is_dir():
        write_split(folder, seed=3, count=count, split="train", workers=1)
        return folder / "images"
    folder.mkdir()
    for photograph in sorted(PHOTOGRAPHS.glob("*.jpg"))[:count]:
        shutil.copy(photograph, folder)
    return folder


def recipe(steps: int = STEPS, **changes: Any) -> AttackerRecipe:
    schedule = Schedule(steps=steps, warmup=1, decay=1.0, cosine=True, rate=changes.pop("rate", 1e-3))
    settings = {"schedule": schedule, "batch": 2, "held_out": 1, "every": 2, **changes}
    return AttackerRecipe(**settings)


def training(kind: str, start: str, images: Path, out: Path, **changes: Any) -> FineTuning:
    settings = {"recipe": recipe(), "cpu": True, "checkpoint_seconds": 0, "say": lambda line: None, **changes}
    return train_attacker(kind, start=start, images=images, out=out, **settings)


def tiny_sam(folder: Path) -> Path:
    """Make a random SAM in transformers' format, of three blocks, with padded windows."""
    make_sam(folder / "model.safetensors", "small")
    return folder


class _Killed(BaseException):
    pass


def same_after_kills(kind: str, start: str, pictures: Path, folder: Path, **changes: Any) -> Path:
    """Train once in one go and once killed after every step; compare all bytes of the results, and return a folder."""
    training(kind, start, pictures, folder / "whole", **changes).run()

    def dies_at(step: int) -> Any:
        def say(line: str) -> None:
            if line.startswith(f"step {step}/"):
                raise _Killed

        return say

    for step in range(1, STEPS + 1):
        with pytest.raises(_Killed):
            training(kind, start, pictures, folder / "killed", **{**changes, "say": dies_at(step)}).run()
    training(kind, start, pictures, folder / "killed", **changes).run()
    files = {file.relative_to(folder / "whole") for file in (folder / "whole").rglob("*") if file.is_file()}
    for file in files - {Path("training/last.pt"), Path("training/log.jsonl")}:
        assert (folder / "killed" / file).read_bytes() == (folder / "whole" / file).read_bytes(), file
    states = [
        torch.load(folder / out / "training/last.pt", weights_only=True)["network"]
        for out in ("whole", "killed")
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    return folder / "whole"
