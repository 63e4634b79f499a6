"""Recovery of the order of shuffled windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pedbench.base import Attack, Calibration
from pedbench.inversion.jigsaw import Place, assemble
from pedbench.inversion.read_out import read_out
from pedbench.inversion.shuffled_tokens import put_in_order
from pedbench.inversion.token_reader import token_reader
from pedbench.types import Patch, Picture, View

SHUFFLED = "window_shuffle"
"""Defense whose stated window positions are shuffled."""


@dataclass(kw_only=True)
class Jigsaw(Attack):
    """Find the places of shuffled windows, from their borders or from the position embedding of their tokens.

    Windows change places only within one server; content that is not shuffled is read out in place. The calibration
    is `window_shuffle`: position embeddings put at least nine windows in ten in their place. Borders alone
    put four in five, if one server holds all windows.
    """

    name = "jigsaw"
    version = 1
    cite = "Pomeranz, Shemesh and Ben-Shahar, A Fully Automated Greedy Square Jigsaw Puzzle Solver, 2011"
    needs = frozenset({"degraded", "tokens"})
    stochastic = True
    calibration = Calibration(defense="window_shuffle", metric="PSNR", region="hidden", least=24)

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        shuffled = view.description.get("defense") == SHUFFLED
        degraded = _in_order(view, rng) if shuffled and view.degraded else view.degraded
        if view.tokens:
            reader = token_reader(view)
            tokens = (put_in_order(view, reader, rng),) if shuffled else view.tokens
            degraded += reader.patches(view, tokens, "linear_mmse")
        return read_out(replace(view, degraded=degraded))


def _in_order(view: View, rng: np.random.Generator) -> tuple[Patch, ...]:
    places = [Place(patch.top, patch.left, *patch.picture.shape[:2]) for patch in view.degraded]
    found = assemble([patch.picture for patch in view.degraded], places, rng)
    return tuple(
        replace(patch, top=places[index].top, left=places[index].left)
        for patch, index in zip(view.degraded, found, strict=True)
    )
