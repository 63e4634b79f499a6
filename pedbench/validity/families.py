"""Families of attacks, and those that a suite must contain for each kind of payload: docs/reference/protocol.md."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pedbench.base import Defense
from pedbench.types import View
from pedbench.validity.flags import offers

RECEIVED = "received: "
"""Begins the flag of a record that says what servers received; the kind of payload follows."""

COMPLETING = ("completion", "masked autoencoder", "inpainting")
"""Families that fill in what was not received."""

REQUIRED: Mapping[str, tuple[str | tuple[str, ...], ...]] = {
    "nothing": ("floor",),
    "pixels": ("floor", COMPLETING),
    "degraded": ("floor", "sharpening"),
    "tokens": ("inversion", "completion of a read-out"),
    "shuffled": ("re-assembly",),
    "randomised": (("averaging", "accumulation"),),
    "moving": ("accumulation",),
}
"""Families by kind of payload that a suite must contain, else a row is a lower bound; of several in a row, one."""

_COMPOSED = "completion of a read-out"


def received(views: Iterable[View], defense: Defense) -> set[str]:
    """Return the kinds of payload that coalitions received of a picture, as keys of `REQUIRED`."""
    kinds: set[str] = set()
    for view in views:
        kinds |= (offers(view) - {"metadata"}) | ({"moving"} if view.moves else set())
    if kinds & {"pixels", "degraded", "tokens"} and defense.disclosure != "decoy":
        kinds |= {"randomised"} if defense.randomised else set()
        kinds |= {"shuffled"} if defense.shuffles else set()
    return kinds


def lacking(kinds: Collection[str], attackers: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the required families that none of some attacks belongs to, in words.

    Args:
        kinds: From `received`.
        attackers: Of the records with values: `Record.attacker`, with `composed` true where the attack completed what
            another had read out.
    """
    present = {_COMPOSED if each.get("composed") else each["family"] for each in attackers}
    absent: dict[str, None] = {}
    for kind, families in REQUIRED.items():
        for alternatives in families if kind in kinds else ():
            names = (alternatives,) if isinstance(alternatives, str) else alternatives
            if present.isdisjoint(names):
                absent[" or ".join(names)] = None
    return list(absent)
