"""Inversion of a blur or a loss of resolution of public strength."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Calibration, ReadOutAttack
from pedbench.inversion.deconvolution import richardson_lucy
from pedbench.inversion.public_degradation import KNOWN, known_degradation
from pedbench.inversion.read_out import reading
from pedbench.models.hub.folders import model_knowledge, weights_file
from pedbench.types import Picture, Reading, View

METHODS = ("wiener", "richardson_lucy", "learned")


@dataclass(kw_only=True)
class Deblur(ReadOutAttack):
    """Undo `gaussian_blur`, `pixelate`, `dp_pixelate` or `downsample`, whose strength is public.

    Pictures degraded in another way are read as they are. Calibrated on `gaussian_blur` at its default
    strength: on scenes the whole frame's PSNR rises by 3 dB above the blurred picture's, and by more with
    `learned`.

    Attributes:
        method: `wiener`; `richardson_lucy` (blur alone), which is slower and gains a dB less; or `learned`,
            which corrects the result of `wiener` by a network trained on scenes.
        iterations: Number of iterations of `richardson_lucy`.
        model: Network of `learned`: the name of a sharpening network of the mini family, or the path of its
            file.
    """

    name = "deblur"
    version = 2
    cite = "Wiener 1949; Richardson 1972; Lucy 1974; Zhang et al., DnCNN, arXiv 1608.03981"
    needs = frozenset({"degraded"})
    calibration = Calibration(
        defense="gaussian_blur", metric="PSNR", region="whole", least=2, over="read_degraded"
    )

    method: str = "wiener"
    iterations: int = 100
    model: str = "deblur-mini"
    _network: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}; known: {', '.join(METHODS)}")
        if self.iterations < 1:
            raise ValueError(f"iterations is at least 1, found {self.iterations}")

    @property
    def files(self) -> tuple[Path, ...]:
        return (weights_file(self.model),) if self.method == "learned" else ()

    @property
    def knowledge(self) -> str:
        return model_knowledge(self.model) if self.method == "learned" else ""

    def applies(self, description: Mapping[str, Any]) -> str | None:
        name = description.get("defense")
        if name in KNOWN:
            return None
        return (
            f"the strength of {name} is not known, only of {', '.join(KNOWN)}: measure with an attack of the family "
            "`sharpening` that knows it (docs/extend/writing_an_attack.md)"
        )

    def prepare(self, device: str) -> None:
        if self.method == "learned":
            from pedbench.models.attackers.sharpening import load_sharpening

            self._network = load_sharpening(weights_file(self.model))

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        sharp = tuple(replace(patch, picture=self._sharpen(patch.picture, view)) for patch in view.degraded)
        return reading(replace(view, degraded=sharp))

    def _sharpen(self, picture: Picture, view: View) -> Picture:
        size = (picture.shape[0], picture.shape[1])
        known = known_degradation(view.description, size, max(view.frame_size))
        if known is None:
            return picture
        if self.method == "learned":
            from pedbench.models.attackers.sharpening import sharpen

            return sharpen(self._network, picture, known.estimate(picture), known.kind, known.strength)
        if self.method == "richardson_lucy" and known.kind == "blur":
            return richardson_lucy(picture, known.rows, known.columns, self.iterations)
        return known.estimate(picture)
