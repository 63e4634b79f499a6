"""Undoing encoder blocks with a network's idea of what pictures look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Attack, Calibration
from pedbench.models.hub.folders import model_files, model_knowledge, model_reference
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class GuidedInversion(Attack):
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
    _autoencoder: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.model = model_reference(self.model)
        if self.evaluations < 1:
            raise ValueError(f"evaluations is at least 1, found {self.evaluations}")

    @property
    def files(self) -> tuple[Path, ...]:
        return model_files(self.model)

    @property
    def knowledge(self) -> str:
        return model_knowledge(self.model)

    def prepare(self, device: str) -> None:
        from pedbench.models.attackers.vitmae import load_pixel_autoencoder

        self._autoencoder = (self._autoencoder or load_pixel_autoencoder(self.model)).to(device)

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        from pedbench.inversion.guided import guided

        if self._autoencoder is None:
            raise RuntimeError(f"{self!r} was called before prepare()")
        return guided(self._autoencoder, view, self.evaluations)
