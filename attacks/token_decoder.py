"""Decoding of encoder tokens by a network trained on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Attack, Calibration
from pedbench.inversion.completion import complete_frame
from pedbench.models.hub.folders import model_knowledge, weights_file
from pedbench.types import Picture, View

MIXED = "decoder-interleaved-mini"
"""Decoder of tokens that the first global block has mixed, so that windows carry information about each
other."""

APART = "decoder-ped-mini"
"""The same network, trained as long on tokens of window blocks alone, which carry no information about other
windows."""

DEPTH = 4
"""Number of the mini encoder's blocks before the mixed tokens."""


@dataclass(kw_only=True)
class TokenDecoder(Attack):
    """Decode the pixels and tokens of some windows into the whole frame.

    Tokens that a global block has mixed and that servers received are decoded. Otherwise the tokens are
    computed from the windows' pixels, as on a server, which measures the same decoder without mixing. Both
    networks are trained on scenes, for the views of coalitions of 2 to 25 servers.
    """

    name = "token_decoder"
    version = 1
    cite = "Dosovitskiy and Brox, Inverting Visual Representations with Convolutional Networks, CVPR 2016"
    needs = frozenset({"pixels"})
    family = "inversion"
    calibration = Calibration(
        defense="interleaved_offload", metric="PSNR", region="hidden", least=0.5, over="nearest_pixel"
    )

    _networks: Any = field(init=False, repr=False, compare=False)

    @property
    def files(self) -> tuple[Path, ...]:
        return weights_file(MIXED), weights_file(APART)

    @property
    def knowledge(self) -> str:
        return f"{model_knowledge(MIXED)}; {model_knowledge(APART)}"

    def prepare(self, device: str) -> None:
        from pedbench.models.attackers.restoration import load_restoration

        self._networks = {name: load_restoration(weights_file(name)) for name in (MIXED, APART)}

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        from pedbench.inversion.token_decoding import computed_tokens, no_tokens, received_tokens

        # Each decoder was trained on the tokens of one network; those of others would only mislead it.
        weights = view.description.get("params", {}).get("weights", "original")
        mixed = weights == "original" and any(tokens.depth == DEPTH for tokens in view.tokens)
        network = self._networks[MIXED if mixed else APART]
        if mixed:
            tokens = received_tokens(view, DEPTH)
        elif weights == "fine-tuned":
            tokens = computed_tokens(view)
        else:
            tokens = no_tokens(network.sizes)
        return complete_frame(network, *view.canvas(), *tokens)
