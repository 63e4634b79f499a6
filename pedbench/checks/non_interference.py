"""Non-interference: an attack's guess depends on its view alone, not on the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from typing_extensions import Self

from pedbench.adversary.isolation.answers import AttackFailure, Guesses
from pedbench.adversary.isolation.asking import ConfinedAttacks
from pedbench.adversary.isolation.facts import AttackFacts, describe
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.base import Attack
from pedbench.checks.rule import BrokenRule
from pedbench.checks.samples import WEIGHTS, made_up_picture, make_view
from pedbench.pictures.frame import to_uint8
from pedbench.registry import PluginSpec
from pedbench.types import SURE, Picture, Reading, Tokens, View

if TYPE_CHECKING:
    from pedbench.pictures.windows import WindowGrid

SIZE = (96, 128)
"""(H, W) of the two truths in pixels."""

TRUTH = "truth.png"
"""File name of the truth in the evaluation folder."""

_SEED = 3


class TwoWorlds:
    """Two worlds that differ in the truth alone.

    Args:
        specs: The attacks that `guesses` may run.
        folder: The evaluation folder. It holds the truth of the world whose attack is running.
    """

    def __init__(self, specs: Sequence[PluginSpec], folder: Path) -> None:
        self._folder = folder
        files = [file for spec in specs for file in describe(spec).files]
        self._pool = ConfinedAttacks(specs, readable=files)

    def guesses(self, spec: PluginSpec) -> list[Guesses]:
        """Return an attack's answer in each world: one picture, and for read-outs its confidence.

        Raises:
            AttackFailure: The attack raised, or accessed something outside its view.
        """
        attack, found = describe(spec), []
        for truth in two_truths():
            Image.fromarray(to_uint8(truth)).save(self._folder / TRUTH)
            view = view_to_bytes(shared_view(attack, truth))
            found.append(self._pool.guess(spec, [view], [_SEED]))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.close()


def check_noninterference(spec: PluginSpec, worlds: TwoWorlds) -> None:
    """Compare an attack's guesses in two worlds bit by bit.

    Raises:
        BrokenRule: The guesses differ, or the attack fails in its process.
    """
    try:
        first, second = worlds.guesses(spec)
    except AttackFailure as failure:
        raise BrokenRule(str(failure)) from failure
    for name, one, other in (
        ("guesses", first.pictures, second.pictures),
        ("confidences", first.confidences, second.confidences),
    ):
        for array, changed in zip(one, other, strict=True):
            if array.tobytes() != changed.tobytes():
                raise BrokenRule(
                    f"the same view gave two different {name} where only the truth differs: "
                    f"{np.count_nonzero(array != changed)} of {array.size} values"
                )


def two_truths() -> tuple[Picture, Picture]:
    """Make two frames of which `shared_view` shows the same, though half of their pixels differ."""
    first, second = (made_up_picture(np.random.default_rng(seed), SIZE) for seed in (0, 1))
    patches, degraded = np.s_[: SIZE[0] * 3 // 4, : SIZE[1] // 2], np.s_[::4, ::4]
    for shown in (patches, degraded, _grid().tile((0, 0), SIZE).slices):
        second[shown] = first[shown]
    return first, second


def shared_view(attack: Attack | AttackFacts, truth: Picture) -> View:
    """Return a view of one of the two truths with what the attack needs; of tokens the first window's alone.

    Attacks that complete pictures also get a reading, which consists of the pixels that the truths share.
    """
    view = make_view(attack, truth)
    reading = None
    if attack.completes:
        coarse = truth[::4, ::4].repeat(4, axis=0).repeat(4, axis=1)
        confidence = np.zeros(SIZE, np.float32)
        confidence[:, SIZE[1] * 3 // 4 :] = SURE
        reading = Reading(picture=coarse, confidence=confidence)
    return replace(view, tokens=tuple(map(_first_window, view.tokens)), reading=reading)


def _first_window(tokens: Tokens) -> Tokens:
    """Select the tokens of the first window: the first block attends within windows, so they depend on no others."""
    kept = (tokens.positions < _grid().window).all(axis=1)
    return replace(tokens, values=tokens.values[kept], positions=tokens.positions[kept])


def _grid() -> WindowGrid:
    from pedbench.models.sam.family import MINI
    from pedbench.models.sam.networks import load_network
    from pedbench.models.sam.stages import window_grid

    return window_grid(load_network(MINI, WEIGHTS).image_encoder)
