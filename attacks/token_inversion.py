"""Inversion of encoder blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from pedbench.base import Calibration, ReadOutAttack
from pedbench.inversion.read_out import reading
from pedbench.types import Reading, View

if TYPE_CHECKING:
    from pedbench.models.sam.family import Weights


@dataclass(kw_only=True)
class TokenInversion(ReadOutAttack):
    """Search the picture that has the received tokens, by gradient descent through the public encoder.

    Received pixels stay fixed. The rest starts as the linear estimate of `patch_inversion`, or as the nearest
    pixel, and stays smooth where tokens do not determine it. Pixels count as read at the places of received
    tokens, as far as the found picture explains these tokens.

    Attributes:
        steps: Steps of the descent.
    """

    name = "token_inversion"
    version = 1
    cite = "He, Zhang and Lee, Model Inversion Attacks Against Collaborative Inference, ACSAC 2019"
    needs = frozenset({"tokens"})
    calibration = Calibration(defense="split_blocks", metric="PSNR", region="hidden", least=24)

    steps: int = 120
    _device: str = field(default="cpu", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps is at least 1, found {self.steps}")

    def prepare(self, device: str) -> None:
        self._device = device

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        from pedbench.inversion.token_optimisation import explained, invert
        from pedbench.inversion.token_reader import token_reader
        from pedbench.models.sam.family import described_family
        from pedbench.models.sam.networks import load_network

        canvas, seen = view.canvas()
        if seen.all():
            return reading(view)
        reader = token_reader(view)
        weights = cast("Weights", view.description.get("params", {}).get("weights", "original"))
        network = load_network(described_family(view.description), weights, self._device)
        guess = invert(network, view, reader, self.steps)
        confidence = np.where(seen, np.float32(1), explained(network, view, reader, guess))
        return Reading(picture=np.where(seen[..., None], canvas, guess), confidence=confidence)
