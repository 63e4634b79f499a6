"""Inversion of the patch embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from pedbench.base import Calibration, ReadOutAttack
from pedbench.inversion.read_out import reading
from pedbench.inversion.token_reader import Estimator, token_reader
from pedbench.types import Reading, View


@dataclass(kw_only=True)
class PatchInversion(ReadOutAttack):
    """Read tokens back into pixels through the public patch embedding.

    Only the embedding is inverted: contributions of blocks to deeper tokens count as noise. The calibration is
    `ped_sam` with a token payload: 40 dB if the embedding has as many channels as a patch has values, 24 dB
    on the mini family, which has a quarter of them.

    Attributes:
        estimator: `linear_mmse` with the patches' covariance in the attacker's prior, or `pseudo_inverse`.
    """

    name = "patch_inversion"
    version = 1
    cite = "Kay, Fundamentals of Statistical Signal Processing: Estimation Theory, 1993, section 12.5"
    needs = frozenset({"tokens"})
    calibration = Calibration(
        defense="ped_sam", params={"payload": "tokens16"}, metric="PSNR", region="hidden", least=24
    )

    estimator: Estimator = "linear_mmse"

    def __post_init__(self) -> None:
        if self.estimator not in get_args(Estimator):
            raise ValueError(f"estimator is {self.estimator!r}; known: {', '.join(get_args(Estimator))}")

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        read = token_reader(view).read(view, view.tokens, self.estimator) if view.tokens else ()
        return reading(view, read)
