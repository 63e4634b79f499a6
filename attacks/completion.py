"""The adaptive attacker: completion by a network that was trained on the defense's own masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pedbench.base import Calibration
from pedbench.models.attackers.pretrained import PretrainedAttack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Completion(PretrainedAttack):
    """Fill in hidden windows with a masked autoencoder fine-tuned on what coalitions of `ped_sam`'s servers hold.

    The masks are those of 2 to 25 servers, all assignment policies and any coalition; the training loss is
    the squared error and LPIPS. If no patch is fully visible, the guess is the mean colour.

    Attributes:
        model: `completion-mini`, or the folder or hub id of a ViTMAE with its decoder, present on this
            machine.
    """

    name = "completion"
    version = 2
    cite = "He et al., CVPR 2022, arXiv:2111.06377; Pathak et al., Context Encoders, CVPR 2016"
    needs = frozenset({"nothing", "pixels"})
    completes = True
    calibration = Calibration(
        defense="ped_sam",
        params={"servers": 3},
        metric="PSNR",
        region="hidden",
        least=0.5,
        over="nearest_pixel",
    )

    model: str = "completion-mini"

    def load(self) -> Any:
        from pedbench.models.attackers.vitmae import load_pixel_autoencoder

        return load_pixel_autoencoder(self.model)

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return self.reconstruct_many([view], [rng])[0]

    def reconstruct_many(self, views: Sequence[View], rngs: Sequence[np.random.Generator]) -> list[Picture]:
        from pedbench.inversion.masked_autoencoder import complete_frames

        return complete_frames(self.network, views)
