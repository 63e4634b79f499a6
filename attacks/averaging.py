"""Average of several requests for one scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pedbench.base import Calibration, ReadOutAttack
from pedbench.inversion.averaging import average_patches, average_tokens
from pedbench.inversion.read_out import reading
from pedbench.inversion.token_reader import token_reader
from pedbench.types import Reading, View


@dataclass(kw_only=True)
class Averaging(ReadOutAttack):
    """Average the payloads of several requests for one scene, then read them out.

    Independent noise falls with the root of their number. Tokens are read as in `patch_inversion`. The calibration
    is `token_noise`: eight requests leave 0.35 of one request's noise, and scenes gain 2 dB.

    Attributes:
        requests: Number of requests that are averaged.
    """

    name = "averaging"
    version = 1
    cite = "Dwork et al., Our Data, Ourselves, 2006, on repeated answers with independent noise"
    needs = frozenset({"degraded", "tokens"})
    calibration = Calibration(
        defense="token_noise", metric="PSNR", region="hidden", least=2, over="patch_inversion"
    )

    requests: int = 8

    def __post_init__(self) -> None:
        if self.requests < 1:
            raise ValueError(f"requests is at least 1, found {self.requests}")

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        tokens = average_tokens(view.tokens)
        read = token_reader(view).read(view, tokens, "linear_mmse") if tokens else ()
        return reading(replace(view, degraded=average_patches(view.degraded)), read)
