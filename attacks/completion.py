"""The adaptive attacker: completion by a network that was trained on the defense's own masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Attack, Proof
from pedbench.inversion.completion import complete
from pedbench.models.pretrained import model_knowledge, weights_file
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Completion(Attack):
    """Fill in hidden windows with a network trained on what coalitions of `ped_sam`'s servers hold.

    Trained on scenes of the training split, for 2 to 25 servers, all assignment policies and any coalition.

    Attributes:
        model: A restoration network of the mini family, by name, or the path of a file of one.
    """

    name = "completion"
    version = 1
    cite = "Pathak et al., Context Encoders: Feature Learning by Inpainting, CVPR 2016"
    needs = frozenset({"nothing", "pixels"})
    proof = Proof(
        defense="ped_sam",
        params={"servers": 3},
        metric="PSNR",
        region="hidden",
        least=0.5,
        over="nearest_pixel",
    )

    model: str = "completion-mini"
    _network: Any = field(default=None, init=False, repr=False, compare=False)

    @property
    def files(self) -> tuple[Path, ...]:
        return (weights_file(self.model),)

    @property
    def knowledge(self) -> str:
        return model_knowledge(self.model)

    def prepare(self, device: str) -> None:
        from pedbench.models.restoration import load_restoration

        self._network = load_restoration(weights_file(self.model))

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return complete(self._network, *view.canvas())
