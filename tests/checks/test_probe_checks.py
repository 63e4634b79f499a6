"""Each rule of probes detects a probe that breaks it, and the shipped probes keep all rules."""

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
    """Claim a word in every picture of more than one colour; `fault` selects the rule that it breaks."""

    name = "reads"
    version = 1
    reads = "text"
    side = 64
    fault: str = ""
    _known: list[Claim] = field(default_factory=list, init=False, repr=False, compare=False)

    def prepare(self, device: str) -> None:
        if self.fault == "missing":
            raise ProbeUnavailable("nothing to read with", "install it")

    def claims(self, picture: Picture) -> list[Claim]:
        if self.fault != "flat" and np.ptp(picture, axis=(0, 1)).max() == 0:
            return []
        if self.fault == "writes":
            picture[0] = 0
        if self.fault == "none":
            return None  # type: ignore[return-value]
        return self._claims(picture.shape[1])

    def _claims(self, width: int) -> list[Claim]:
        if self.fault == "remembers":
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
        return [changed.get(self.fault, CLAIM)]


BROKEN = {
    "none": ("claims about a square picture", "expected a list of `Claim`, found None"),
    "kind": ("claims about a square picture", "a probe with `reads` = 'text' claims a face"),
    "content": ("claims about a tall picture", "a claimed text has no content"),
    "sure": ("claims about a wide picture", "`confidence` lies in [0, 1], found 1.5"),
    "empty": ("claims about a tiny picture", "with positive sizes"),
    "unbounded": ("claims about a tiny picture", "with positive sizes"),
    "beyond": ("claims about a one row picture", "reaches 5 pixels out of the picture of (1, 64)"),
    "corners": ("claims about a scene", "reaches 2 pixels out"),
    "flat": ("no claims about the mean colour", "1 claims about a picture of one colour"),
    "lucky": ("claims depend on the picture alone", "1 claims, then 1 different ones"),
    "remembers": ("claims depend on the picture alone", "different ones"),
    "writes": ("the picture stays unchanged", "wrote into its input"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_probe_is_detected(fault: str) -> None:
    rule, problem = BROKEN[fault]
    problems = {found.rule: found.problem for found in check_probe(Reads(fault=fault)) if found.problem}
    assert problem in problems[rule], problems


def test_a_probe_that_keeps_the_rules_has_no_problems_and_a_missing_one_is_not_checked() -> None:
    assert not [found for found in check_probe(Reads()) if found.problem or found.skipped]
    *_, last = check_probe(Reads(fault="missing"))
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
