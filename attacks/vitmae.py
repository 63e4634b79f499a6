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
    """Complete what was seen with a masked autoencoder.

    Windows are laid over whole patches of it; of patches seen in part the unseen pixels are predicted. It was
    trained to complete something: where no patch was seen as a whole, the guess is the mean colour.

    Attributes:
        model: `mae-mini`, or the folder or hub id of any ViTMAE with its decoder, which has to be on this machine.
        window_patches: Patches along a window's side; 0 takes what comes nearest to the size of the pictures that
            the model was trained on. Positions are interpolated.
        statistics: Weights trained on normalised pixels say nothing of a patch's mean and contrast: `neighbours`
            takes those of the patches around that were seen; with `none` such weights are refused.
    """

    name = "vitmae"
    version = 1
    cite = "He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022, arXiv:2111.06377"
    needs = frozenset({"nothing", "pixels"})
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
            wanted = "neighbours" if self.network.normalised_targets else "none"
            raise ValueError(f"{self.model} was trained on {trained}, which needs statistics = {wanted!r}")

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return self.reconstruct_many([view], [rng])[0]

    def reconstruct_many(self, views: Sequence[View], rngs: Sequence[np.random.Generator]) -> list[Picture]:
        from pedbench.inversion.masked_autoencoder import complete_frames

        return complete_frames(self.network, views, self.window_patches)
