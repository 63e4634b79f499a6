"""Decoding of obfuscated tokens by a network trained on the finished obfuscator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Calibration, ReadOutAttack
from pedbench.inversion.read_out import DEGRADED, reading
from pedbench.models.hub.folders import model_knowledge, weights_file
from pedbench.types import Reading, View

_DECODER, _OBFUSCATOR = "decoder-feature-noise-mini", "feature-noise-mini"


@dataclass(kw_only=True)
class FeatureDecoder(ReadOutAttack):
    """Average the obfuscated tokens of several requests, then decode them with a trained network.

    The network was trained on the finished obfuscator, after the adversary of the obfuscator's own training.
    Independent noise falls with the root of the number of requests.

    Attributes:
        requests: Number of requests that are averaged, 1 or 8.
    """

    name = "feature_decoder"
    version = 1
    cite = "He, Zhang and Lee, Model Inversion Attacks Against Collaborative Inference, ACSAC 2019"
    needs = frozenset({"tokens"})
    family = "inversion"
    calibration = Calibration(
        defense="feature_noise", metric="PSNR", region="hidden", least=2, over="patch_inversion"
    )

    requests: int = 8
    _decoder: Any = field(init=False, repr=False, compare=False)
    _obfuscator: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.requests not in (1, 8):
            raise ValueError(f"requests is 1 or 8, the numbers that the network knows; found {self.requests}")

    @property
    def files(self) -> tuple[Path, ...]:
        return weights_file(_DECODER), weights_file(_OBFUSCATOR)

    @property
    def knowledge(self) -> str:
        return model_knowledge(_DECODER)

    def applies(self, description: Mapping[str, Any]) -> str | None:
        defense, family = description.get("defense"), description.get("family", "an unknown family")
        if (defense, family) != ("feature_noise", "mini"):
            return f"it decodes the tokens of `feature_noise` on mini, not those of {defense} on {family}"
        return None

    def prepare(self, device: str) -> None:
        from pedbench.models.attackers.split_decoding import load_feature_decoder
        from pedbench.models.obfuscator import load_obfuscator

        self._decoder, self._obfuscator = load_feature_decoder(self.files[0]), load_obfuscator(self.files[1])

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        from pedbench.inversion.feature_decoding import decode_features

        canvas, seen = view.canvas()
        guess = decode_features(self._decoder, self._obfuscator, view)
        if guess is None:
            return reading(view)
        confidence = np.where(seen, np.float32(1), np.float32(DEGRADED))
        return Reading(picture=np.where(seen[..., None], canvas, guess), confidence=confidence)
