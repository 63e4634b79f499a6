"""Rules of probes, checked on synthetic pictures and on a picture of the attackers' prior."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from pedbench.adversary.prior import load_prior
from pedbench.base import Claim, Probe
from pedbench.checks.rule import BrokenRule, Outcome, expect_unchanged, outcome
from pedbench.checks.samples import made_up_picture, seed_globals
from pedbench.privacy.pieces import magnify
from pedbench.types import Picture

READS = ("text", "face", "object")

SIZES = {"square": (64, 64), "wide": (40, 96), "tall": (96, 40), "tiny": (8, 8), "one row": (1, 64)}
"""(H, W) of the pictures in pixels."""

_MAX_OVERHANG = 1.0
"""Pixels by which a box may reach out of its picture, because of rounding."""


def check_probe(probe: Probe) -> Iterator[Outcome]:
    """Check a probe on pictures of several shapes."""
    yield outcome("declared kind and side", lambda: _check_declared(probe))
    prepared = outcome("preparation", lambda: probe.prepare("cpu"))
    yield prepared
    if prepared.skipped:
        return
    rng = np.random.default_rng(0)
    pictures = {f"a {name} picture": made_up_picture(rng, size) for name, size in SIZES.items()}
    prior = load_prior()
    scene = prior.pictures[0]
    pictures["a scene"] = magnify(scene, max(1.0, probe.side / max(scene.shape[:2]))).picture
    for name, picture in pictures.items():
        yield outcome(f"claims about {name}", partial(_check_claims, probe, picture))
    # These are an attack's guess without knowledge, and a canvas without patches.
    for name, colour in {"the mean colour": prior.mean_colour, "black": np.zeros(3, np.float32)}.items():
        yield outcome(f"no claims about {name}", partial(_check_flat, probe, np.tile(colour, (64, 96, 1))))
    sample = pictures["a scene"]
    yield outcome("claims depend on the picture alone", lambda: _check_determinism(probe, sample))
    yield outcome(
        "the picture stays unchanged", lambda: expect_unchanged([sample], lambda: probe.claims(sample))
    )


def _check_declared(probe: Probe) -> None:
    if probe.reads not in READS:
        raise BrokenRule(f"`reads` is one of {', '.join(READS)}; found {probe.reads!r}")
    if probe.side < 1:
        raise BrokenRule(f"`side` is at least 1, found {probe.side}")


def _check_claims(probe: Probe, picture: Picture) -> None:
    claims = probe.claims(picture.copy())
    if not isinstance(claims, list) or not all(isinstance(claim, Claim) for claim in claims):
        raise BrokenRule(f"expected a list of `Claim`, found {claims!r}")
    for claim in claims:
        _check_claim(probe, claim, picture.shape[:2])


def _check_claim(probe: Probe, claim: Claim, size: tuple[int, ...]) -> None:
    if claim.kind != probe.reads:
        raise BrokenRule(f"a probe with `reads` = {probe.reads!r} claims a {claim.kind}")
    if claim.kind != "face" and not claim.content:
        raise BrokenRule(f"a claimed {claim.kind} has no content")
    if not 0 <= claim.confidence <= 1:
        raise BrokenRule(f"`confidence` lies in [0, 1], found {claim.confidence}")
    left, top, width, height = claim.box
    if not (np.isfinite(claim.box).all() and width > 0 and height > 0):
        raise BrokenRule(f"a box is x, y, width, height with positive sizes, found {claim.box}")
    overhang = max(-left, -top, left + width - size[1], top + height - size[0])
    if overhang > _MAX_OVERHANG:
        raise BrokenRule(f"the box {claim.box} reaches {overhang:.3g} pixels out of the picture of {size}")


def _check_flat(probe: Probe, flat: Picture) -> None:
    claims = probe.claims(flat)
    if claims:
        raise BrokenRule(f"{len(claims)} claims about a picture of one colour, the first is {claims[0]}")


def _check_determinism(probe: Probe, picture: Picture) -> None:
    """Compare claims about a picture before and after a different picture, under different global seeds."""
    found = []
    for seed in (1, 2):
        seed_globals(seed)
        found.append(probe.claims(picture.copy()))
        probe.claims(picture[::-1].copy())
    if found[0] != found[1]:
        raise BrokenRule(f"the same picture gave {len(found[0])} claims, then {len(found[1])} different ones")
