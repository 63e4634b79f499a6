"""Undoing encoder blocks with a network's idea of what pictures look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pedbench.base import Calibration
from pedbench.models.attackers.pretrained import PretrainedAttack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class GuidedInversion(PretrainedAttack):
    """Complete hidden windows such that the public encoder makes the received tokens of the whole.

    What a masked autoencoder makes up is changed, by its decoder's inputs and a smooth rest, until tokens fit that a
    global block has mixed. Where no tokens are, or none that tell of hidden windows, this is plain completion.

    Attributes:
        model: `completion-mini`, or the folder or hub id of a ViTMAE with its decoder, which has to be on this machine.
        evaluations: Of the encoder and its gradient, at most.
    """

    name = "guided_inversion"
    version = 1
    cite = "Lei et al., DRAG: Data Reconstruction Attack using Guided Diffusion, ICML 2025"
    needs = frozenset({"pixels"})
    calibration = Calibration(
        defense="interleaved_offload", metric="PSNR", region="hidden", least=0.3, over="completion"
    )

    model: str = "completion-mini"
    evaluations: int = 300

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.evaluations < 1:
            raise ValueError(f"evaluations is at least 1, found {self.evaluations}")

    def load(self) -> Any:
        from pedbench.models.attackers.vitmae import load_pixel_autoencoder

        return load_pixel_autoencoder(self.model)

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        from pedbench.inversion.guided import guided

        return guided(self.network, view, self.evaluations)
