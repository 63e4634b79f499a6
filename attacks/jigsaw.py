"""Recovery of the order of shuffled windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pedbench.base import Calibration, ReadOutAttack
from pedbench.inversion.jigsaw import Place, assemble
from pedbench.inversion.read_out import DEGRADED, ReadPatch, reading
from pedbench.inversion.shuffled_tokens import put_in_order
from pedbench.inversion.token_reader import token_reader
from pedbench.types import Reading, View

SHUFFLED = "window_shuffle"
"""Defense whose stated window positions are shuffled."""


@dataclass(kw_only=True)
class Jigsaw(ReadOutAttack):
    """Find the places of shuffled windows, from their borders or from the position embedding of their tokens.

    Windows change places only within one server; content that is not shuffled is read out in place. The calibration
    is `window_shuffle`: position embeddings put at least nine windows in ten in their place. Borders alone
    put four in five, if one server holds all windows.
    """

    name = "jigsaw"
    version = 1
    cite = "Pomeranz, Shemesh and Ben-Shahar, A Fully Automated Greedy Square Jigsaw Puzzle Solver, 2011"
    needs = frozenset({"degraded", "tokens"})
    family = "re-assembly"
    stochastic = True
    calibration = Calibration(defense="window_shuffle", metric="PSNR", region="hidden", least=24)

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        if view.description.get("defense") != SHUFFLED:
            read = token_reader(view).read(view, view.tokens, "linear_mmse") if view.tokens else []
            return reading(view, read)
        read = _pictures_in_order(view, rng) if view.degraded else []
        if view.tokens:
            read += _tokens_in_order(view, rng)
        return reading(replace(view, degraded=()), read)


def _pictures_in_order(view: View, rng: np.random.Generator) -> list[ReadPatch]:
    places = [Place(patch.top, patch.left, *patch.picture.shape[:2]) for patch in view.degraded]
    order = assemble([patch.picture for patch in view.degraded], places, rng)
    return [
        ReadPatch(
            replace(patch, top=places[index].top, left=places[index].left), _explained(DEGRADED, probability)
        )
        for patch, index, probability in zip(view.degraded, *order, strict=True)
    ]


def _tokens_in_order(view: View, rng: np.random.Generator) -> list[ReadPatch]:
    reader = token_reader(view)
    tokens, probabilities = put_in_order(view, reader, rng)
    read = reader.read(view, (tokens,), "linear_mmse")
    return [
        ReadPatch(patch, _explained(share, probability))
        for (patch, share), probability in zip(read, probabilities.tolist(), strict=True)
    ]


def _explained(share: float, probability: float) -> float:
    """Return the share of variance that pixels of a probable place are expected to explain.

    In a wrong place, the squared error is twice the variance.
    """
    return share * probability - (1 - probability)
