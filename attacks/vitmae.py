"""Completion by a masked autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Attack, Calibration
from pedbench.models.hub.folders import model_files, model_knowledge, model_reference
from pedbench.types import Picture, View

STATISTICS = ("none", "neighbours")


@dataclass(kw_only=True)
class Vitmae(Attack):
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
    _autoencoder: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.model = model_reference(self.model)
        if self.window_patches < 0:
            raise ValueError(f"window_patches must not be negative, found {self.window_patches}")
        if self.statistics not in STATISTICS:
            raise ValueError(f"statistics is {self.statistics!r}; known: {', '.join(STATISTICS)}")

    @property
    def files(self) -> tuple[Path, ...]:
        return model_files(self.model)

    @property
    def knowledge(self) -> str:
        return model_knowledge(self.model)

    def prepare(self, device: str) -> None:
        from pedbench.models.attackers.vitmae import load_autoencoder

        self._autoencoder = (self._autoencoder or load_autoencoder(self.model)).to(device)
        if self._autoencoder.normalised_targets != (self.statistics == "neighbours"):
            trained = "normalised pixels" if self._autoencoder.normalised_targets else "pixels as they are"
            wanted = "neighbours" if self._autoencoder.normalised_targets else "none"
            raise ValueError(f"{self.model} was trained on {trained}, which needs statistics = {wanted!r}")

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return self.reconstruct_many([view], [rng])[0]

    def reconstruct_many(self, views: Sequence[View], rngs: Sequence[np.random.Generator]) -> list[Picture]:
        from pedbench.inversion.masked_autoencoder import complete

        if self._autoencoder is None:
            raise RuntimeError(f"{self!r} was called before prepare()")
        return complete(self._autoencoder, views, self.window_patches)
