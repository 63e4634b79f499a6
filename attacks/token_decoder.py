"""Decoding of encoder tokens by a network trained on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.base import Attack, Calibration
from pedbench.inversion.completion import complete_frame
from pedbench.models.hub.folders import model_knowledge, weights_file
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class TokenDecoder(Attack):
    """Decode the pixels and tokens of some windows into the whole frame.

    Tokens that a global block has mixed and that servers received are decoded. Otherwise the tokens are
    computed from the windows' pixels, as on a server, which measures the same decoder without mixing. Both
    networks are trained for the views of coalitions of 2 to 25 servers: the mini family's on scenes, those of
    other models by `pedbench train decoder`.

    Attributes:
        model: The family of networks whose tokens the decoders know: `mini`, or the last part of its name.
    """

    name = "token_decoder"
    version = 1
    cite = "Dosovitskiy and Brox, Inverting Visual Representations with Convolutional Networks, CVPR 2016"
    needs = frozenset({"pixels"})
    family = "inversion"
    calibration = Calibration(
        defense="interleaved_offload", metric="PSNR", region="hidden", least=0.5, over="nearest_pixel"
    )

    model: str = "mini"
    _networks: Any = field(init=False, repr=False, compare=False)

    @property
    def params(self) -> dict[str, Any]:
        """The configuration. `mini` is left out: results from before the parameter existed stay comparable."""
        return {name: value for name, value in super().params.items() if value != "mini"}

    @property
    def _names(self) -> tuple[str, str]:
        """Names of the decoders of mixed tokens and of window blocks' tokens, the latter trained as long."""
        return f"decoder-interleaved-{self.model}", f"decoder-ped-{self.model}"

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(weights_file(name) for name in self._names)

    @property
    def knowledge(self) -> str:
        return "; ".join(model_knowledge(name) for name in self._names)

    def applies(self, description: Mapping[str, Any]) -> str | None:
        family = Path(str(description.get("family", self.model))).name
        return None if family == self.model else f"it decodes tokens of {self.model}, not those of {family}"

    def prepare(self, device: str) -> None:
        from pedbench.models.attackers.restoration import load_restoration

        self._networks = [load_restoration(file) for file in self.files]

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        from pedbench.inversion.token_decoding import computed_tokens, mixed_depth, no_tokens, received_tokens

        # Each decoder was trained on the tokens of one network; those of others would only mislead it.
        weights = view.description.get("params", {}).get("weights", "original")
        depth = mixed_depth(view)
        mixed = weights == "original" and any(tokens.depth == depth for tokens in view.tokens)
        network = self._networks[0 if mixed else 1]
        if mixed:
            tokens = received_tokens(view, depth)
        elif weights == "fine-tuned":
            tokens = computed_tokens(view)
        else:
            tokens = no_tokens(network.sizes)
        return complete_frame(network, *view.canvas(), *tokens)
