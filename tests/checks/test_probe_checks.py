"""Each rule of probes catches the probe that breaks it, and those in the tree keep them all."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from pedbench.base import Claim, Probe, ProbeUnavailable
from pedbench.checks.probes import check_probe
from pedbench.registry import Registry
from pedbench.types import Picture

CLAIM = Claim(kind="text", content="word", box=(1.0, 0.0, 1.0, 1.0), confidence=0.5)


@dataclass(kw_only=True)
class Reads(Probe):
    """Read a word in every picture that is not of one colour, or do so in a way that breaks a rule."""

    name = "reads"
    version = 1
    reads = "text"
    side = 64
    how: str = ""
    _known: list[Claim] = field(default_factory=list, init=False, repr=False, compare=False)

    def prepare(self, device: str) -> None:
        if self.how == "missing":
            raise ProbeUnavailable("nothing to read with", "install it")

    def claims(self, picture: Picture) -> list[Claim]:
        if self.how != "flat" and np.ptp(picture, axis=(0, 1)).max() == 0:
            return []
        if self.how == "writes":
            picture[0] = 0
        if self.how == "none":
            return None  # type: ignore[return-value]
        return self._told(picture.shape[1])

    def _told(self, width: int) -> list[Claim]:
        if self.how == "remembers":
            self._known.append(CLAIM)
            return [*self._known]
        changed = {
            "kind": replace(CLAIM, kind="face"),
            "content": replace(CLAIM, content=""),
            "sure": replace(CLAIM, confidence=1.5),
            "empty": replace(CLAIM, box=(1.0, 0.0, 0.0, 1.0)),
            "unbounded": replace(CLAIM, box=(1.0, 0.0, np.nan, 1.0)),
            "beyond": replace(CLAIM, box=(1.0, 0.0, width + 4.0, 1.0)),
            "corners": replace(CLAIM, box=(-2.0, 0.0, 1.0, 1.0)),
            "lucky": replace(CLAIM, confidence=random.random()),
        }
        return [changed.get(self.how, CLAIM)]


BROKEN = {
    "none": ("claims about a square picture", "expected a list of `Claim`, found None"),
    "kind": ("claims about a square picture", "a probe of `reads` = 'text' claims a face"),
    "content": ("claims about a tall picture", "a claimed text without content"),
    "sure": ("claims about a wide picture", "`confidence` lies in [0, 1], found 1.5"),
    "empty": ("claims about a tiny picture", "with positive sizes"),
    "unbounded": ("claims about a tiny picture", "with positive sizes"),
    "beyond": ("claims about a one row picture", "reaches 5 pixels out of the picture of (1, 64)"),
    "corners": ("claims about a scene", "reaches 2 pixels out"),
    "flat": ("no claims about the mean colour", "1 claims about a picture of one colour"),
    "lucky": ("claims depend on the picture alone", "1 claims and then 1 that are not the same"),
    "remembers": ("claims depend on the picture alone", "that are not the same"),
    "writes": ("the picture is left as it is", "wrote into the picture"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_probe_is_told_so(how: str) -> None:
    rule, why = BROKEN[how]
    problems = {found.rule: found.problem for found in check_probe(Reads(how=how)) if found.problem}
    assert why in problems[rule], problems


def test_a_probe_that_keeps_the_rules_hears_nothing_and_a_missing_one_is_not_checked() -> None:
    assert not [found for found in check_probe(Reads()) if found.problem or found.skipped]
    *_, last = check_probe(Reads(how="missing"))
    assert last.skipped == "nothing to read with: install it"


def test_declared_kinds_and_sides_are_checked() -> None:
    class Smells(Reads):
        reads = "smell"  # type: ignore[assignment]

    class Small(Reads):
        side = 0

    found = {kind: next(iter(check_probe(kind()))).problem for kind in (Smells, Small)}
    assert found == {
        Smells: "`reads` is one of text, face, object; found 'smell'",
        Small: "`side` is at least 1, found 0",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", Registry().origins("probes"))
def test_probes_in_the_tree_keep_the_rules(name: str) -> None:
    assert not [found for found in check_probe(Registry().create("probes", name, {})) if found.problem]
