"""Inpainting by diffusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Calibration
from pedbench.models.attackers.pretrained import PretrainedAttack
from pedbench.models.hub.folders import model_files, read_json
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class DiffusionInpaint(PretrainedAttack):
    """Inpaint hidden parts with a diffusion model, and keep the sample that continues the visible parts best.

    The guess is the sample with the smallest step at the border of the visible part, measured at the size at
    which the model paints. `inpaint-mini` refines a first guess, a completion blended with the nearest visible
    pixels; repeating texture of visible surfaces is continued.

    Attributes:
        model: `inpaint-mini`, or the folder or hub id of any inpainting pipeline of diffusers, present on
            this machine.
        samples: Number of samples.
        steps: Evaluations of the network per sample.
        caption: Description of the picture, if the attacker has one; for pipelines that take a prompt.
    """

    name = "diffusion_inpaint"
    version = 3
    cite = "Ho, Jain and Abbeel, Denoising Diffusion Probabilistic Models, NeurIPS 2020, arXiv:2006.11239"
    needs = frozenset({"nothing", "pixels"})
    completes = True
    family = "inpainting"
    stochastic = True
    calibration = Calibration(
        defense="ped_sam",
        params={"servers": 3},
        metric="advantage[LPIPS-scoring]",
        region="hidden",
        least=0.01,
    )

    model: str = "inpaint-mini"
    samples: int = 4
    steps: int = 2
    caption: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.samples, self.steps) < 1:
            raise ValueError(f"samples and steps are at least 1, found {self.samples} and {self.steps}")

    @property
    def files(self) -> tuple[Path, ...]:
        settings = super().files[0] / "model_index.json"
        try:
            guesser = read_json(settings).get("guesser", "") if settings.is_file() else ""
        except PermissionError:
            # Attacks declare their files before they may read any but those that pedbench ships.
            guesser = ""
        return (*super().files, *(model_files(guesser) if guesser else ()))

    def batches(self, device: str) -> bool:
        return device != "cpu"

    def load(self) -> Any:
        from pedbench.models.attackers.inpainting import load_inpainting

        return load_inpainting(self.model)

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return self.reconstruct_many([view], [rng])[0]

    def reconstruct_many(self, views: Sequence[View], rngs: Sequence[np.random.Generator]) -> list[Picture]:
        from pedbench.inversion.inpainting import paint

        guesses = [view.canvas()[0] for view in views]
        hidden = [index for index, view in enumerate(views) if not view.canvas()[1].all()]
        seeds = [[int(seed) for seed in rngs[index].integers(2**62, size=self.samples)] for index in hidden]
        painted = paint(
            self.network,
            [views[index] for index in hidden],
            seeds=seeds,
            steps=self.steps,
            caption=self.caption,
        )
        for index, guess in zip(hidden, painted, strict=True):
            guesses[index] = guess
        return guesses
