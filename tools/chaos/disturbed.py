"""A pass of `ped_sam` in which a fault strikes at a chosen moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pedbench.base import Cloud, Edge, Embedding
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture

Moment = Literal["forget", "call", "collect"]
"""Moments of a fault: before the pass's first command, before its calls, and after them."""


@dataclass(kw_only=True)
class Disturbed(PedSam):  # type: ignore[misc]
    """ped_sam with an action before and one after its calls."""

    name = "disturbed"
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        self.before()
        embedding: Embedding = super().embed(frame, edge, cloud)
        self.after()
        return embedding


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One fault in a pass.

    Attributes:
        prepare: Called before the pass.
        defense: The defense to run, which causes later faults.
        struck: Return whether the fault happened, and prevent it from then on.
    """

    prepare: Callable[[], None]
    defense: PedSam
    struck: Callable[[], bool]


def make_trouble(
    defense: Disturbed, moment: Moment, strike: Callable[[], None], struck: Callable[[], bool]
) -> Trouble:
    """Make `strike` happen at a moment of a pass."""
    prepare = nothing
    match moment:
        case "forget":
            prepare = strike
        case "call":
            defense.before = strike
        case "collect":
            defense.after = strike
    return Trouble(prepare=prepare, defense=defense, struck=struck)


def nothing() -> None:
    """Do nothing."""
