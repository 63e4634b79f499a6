"""Inversion of encoder blocks within the pictures that a masked autoencoder can generate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pedbench.base import Calibration
from pedbench.models.attackers.pretrained import PretrainedAttack
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class GuidedInversion(PretrainedAttack):
    """Complete hidden windows such that the public encoder maps the whole frame to the received tokens.

    The inputs of a masked autoencoder's decoder and a smooth residual are optimised until the frame's tokens
    fit the received ones, which a global block has mixed. Without tokens that carry information about hidden
    windows, this is plain completion.

    Attributes:
        model: `completion-mini`, or the folder or hub id of a ViTMAE with its decoder, present on this
            machine.
        evaluations: Maximum evaluations of the encoder and its gradient.
    """

    name = "guided_inversion"
    version = 1
    cite = "Lei et al., DRAG: Data Reconstruction Attack using Guided Diffusion, ICML 2025"
    needs = frozenset({"pixels"})
    family = "inversion"
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
