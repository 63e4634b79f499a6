"""Completion by a masked autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pedbench.base import Calibration
from pedbench.models.attackers.pretrained import PretrainedAttack
from pedbench.types import Picture, View

STATISTICS = ("none", "neighbours")


@dataclass(kw_only=True)
class Vitmae(PretrainedAttack):
    """Complete the visible pixels with a masked autoencoder.

    Windows are aligned with whole patches of the autoencoder; in partly visible patches the hidden pixels are
    predicted. If no patch is fully visible, the guess is the mean colour: the autoencoder was trained to
    complete something.

    Attributes:
        model: `mae-mini`, or the folder or hub id of any ViTMAE with its decoder, present on this machine.
        window_patches: Patches along a window's side; 0 chooses the number nearest to the model's training
            size. Positions are interpolated.
        statistics: Source of a patch's mean and contrast for weights trained on normalised pixels, which do
            not predict them: `neighbours` takes those of visible patches around it; with `none` such weights
            are refused.
    """

    name = "vitmae"
    version = 1
    cite = "He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022, arXiv:2111.06377"
    needs = frozenset({"nothing", "pixels"})
    completes = True
    family = "masked autoencoder"
    calibration = Calibration(
        defense="ped_sam",
        params={"servers": 3},
        metric="PSNR",
        region="hidden",
        least=0.3,
        over="nearest_pixel",
    )

    model: str = "mae-mini"
    window_patches: int = 0
    statistics: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window_patches < 0:
            raise ValueError(f"window_patches must not be negative, found {self.window_patches}")
        if self.statistics not in STATISTICS:
            raise ValueError(f"statistics is {self.statistics!r}; known: {', '.join(STATISTICS)}")

    def load(self) -> Any:
        from pedbench.models.attackers.vitmae import load_autoencoder

        return load_autoencoder(self.model)

    def prepare(self, device: str) -> None:
        super().prepare(device)
        if self.network.normalised_targets != (self.statistics == "neighbours"):
            trained = "normalised pixels" if self.network.normalised_targets else "pixels as they are"
            required = "neighbours" if self.network.normalised_targets else "none"
            raise ValueError(f"{self.model} was trained on {trained}, which needs statistics = {required!r}")

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return self.reconstruct_many([view], [rng])[0]

    def reconstruct_many(self, views: Sequence[View], rngs: Sequence[np.random.Generator]) -> list[Picture]:
        from pedbench.inversion.masked_autoencoder import complete_frames

        return complete_frames(self.network, views, self.window_patches)
