"""Decoding of encoder blocks by a trained network, refined by inversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Calibration, ReadOutAttack
from pedbench.inversion.read_out import reading
from pedbench.models.hub.folders import model_knowledge, weights_file
from pedbench.types import Reading, View


@dataclass(kw_only=True)
class SplitDecoder(ReadOutAttack):
    """Decode all tokens behind 2, 4 or 6 blocks with a trained network, then match them by gradient descent.

    The descent through the public encoder is that of `token_inversion`. It starts at the decoded picture,
    corrected by what the decoder makes of that picture's own tokens, instead of a linear estimate.

    Attributes:
        corrections: Times that the decoded picture is corrected.
        refine: Steps of the descent; 0 for none.
    """

    name = "split_decoder"
    version = 1
    cite = "He, Zhang and Lee, Model Inversion Attacks Against Collaborative Inference, ACSAC 2019"
    needs = frozenset({"tokens"})
    calibration = Calibration(defense="split_blocks", metric="PSNR", region="hidden", least=24)

    corrections: int = 4
    refine: int = 120
    _device: str = field(default="cpu", init=False, repr=False, compare=False)
    _decoder: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, value in self.params.items():
            if value < 0:
                raise ValueError(f"{name} is at least 0, found {value}")

    @property
    def files(self) -> tuple[Path, ...]:
        return (weights_file("decoder-split-mini"),)

    @property
    def knowledge(self) -> str:
        return model_knowledge("decoder-split-mini")

    def applies(self, description: Mapping[str, Any]) -> str | None:
        from pedbench.models.attackers.split_decoding import DEPTHS

        params = description.get("params", {})
        family, weights = description.get("family", "an unknown family"), params.get("weights", "original")
        if (family, weights) != ("mini", "original"):
            return f"it decodes tokens of the original network of mini, not of {weights} of {family}"
        if description.get("defense") != "split_blocks" or params.get("blocks") not in DEPTHS:
            return f"it decodes all tokens behind {', '.join(map(str, DEPTHS))} blocks, as `split_blocks` sends them"
        return None

    def prepare(self, device: str) -> None:
        from pedbench.models.attackers.split_decoding import load_split_decoder

        self._device, self._decoder = device, load_split_decoder(self.files[0])

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        from pedbench.inversion.token_decoding import RATE, SMOOTH, decode_split, network_of
        from pedbench.inversion.token_optimisation import explained, first_guess, invert
        from pedbench.inversion.token_reader import token_reader

        canvas, seen = view.canvas()
        if seen.all():
            return reading(view)
        reader, network = token_reader(view), network_of(view, self._device)
        guess = decode_split(self._decoder, network, view, self.corrections)
        if guess is None:
            guess = first_guess(view, reader)
        if self.refine:
            guess = invert(network, view, reader, self.refine, start=guess, rate=RATE, smooth=SMOOTH)
        confidence = np.where(seen, np.float32(1), explained(network, view, reader, guess))
        return Reading(picture=np.where(seen[..., None], canvas, guess), confidence=confidence)
