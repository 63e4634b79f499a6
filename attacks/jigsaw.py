"""Recovery of the order of shuffled windows and scrambled blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pedbench.base import Calibration, ReadOutAttack
from pedbench.inversion.jigsaw import Place, assemble
from pedbench.inversion.read_out import DEGRADED, ReadPatch, reading
from pedbench.inversion.scrambled_blocks import explained, put_blocks_in_order
from pedbench.inversion.shuffled_tokens import put_in_order
from pedbench.inversion.token_reader import token_reader
from pedbench.types import Reading, View

WINDOWS, BLOCKS = "window_shuffle", "block_scramble"
"""Defenses that move windows' tokens, and that move and turn blocks of pixels."""


@dataclass(kw_only=True)
class Jigsaw(ReadOutAttack):
    """Find the places of shuffled windows and of scrambled blocks, from their borders or their position embedding.

    Windows change places only within one server; content that is not shuffled is read out in place. Blocks may also
    be turned and mirrored. If turns keep the frame's size, the turn that looks most upright next to the prior's
    pictures is taken.

    The calibration is `window_shuffle`: position embeddings put at least nine windows in ten in their place. Borders
    alone put four in five, if one server holds all windows.
    """

    name = "jigsaw"
    version = 2
    cite = (
        "Pomeranz, Shemesh and Ben-Shahar, A Fully Automated Greedy Square Jigsaw Puzzle Solver, 2011; "
        "Gallagher, Jigsaw Puzzles with Pieces of Unknown Orientation, 2012; "
        "Chuman, Kurihara and Kiya, On the Security of Block Scrambling-based EtC Systems against Jigsaw Puzzle "
        "Solver Attacks, 2017"
    )
    needs = frozenset({"degraded", "tokens"})
    family = "re-assembly"
    stochastic = True
    calibration = Calibration(defense="window_shuffle", metric="PSNR", region="hidden", least=24)

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        defense = view.description.get("defense")
        if defense == BLOCKS:
            return reading(replace(view, degraded=()), put_blocks_in_order(view, rng))
        if defense != WINDOWS:
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
            replace(patch, top=places[index].top, left=places[index].left), explained(DEGRADED, probability)
        )
        for patch, index, probability in zip(view.degraded, order.places, order.probability, strict=True)
    ]


def _tokens_in_order(view: View, rng: np.random.Generator) -> list[ReadPatch]:
    reader = token_reader(view)
    tokens, probabilities = put_in_order(view, reader, rng)
    read = reader.read(view, (tokens,), "linear_mmse")
    return [
        ReadPatch(patch, explained(share, probability))
        for (patch, share), probability in zip(read, probabilities.tolist(), strict=True)
    ]
