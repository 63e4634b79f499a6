"""Rules of attacks, checked on synthetic views."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import get_args

import numpy as np
import numpy.typing as npt

from pedbench.base import Attack, ReadOutAttack
from pedbench.base.attack import Need
from pedbench.checks.rule import Array, BrokenRule, Outcome, expect_array, expect_unchanged, outcome, same
from pedbench.checks.samples import made_up_picture, make_view, seed_globals
from pedbench.types import SURE, Reading, View

NEEDS: tuple[Need, ...] = get_args(Need)

SIZES = {"square": (64, 64), "wide": (40, 96), "tall": (96, 40), "tiny": (8, 8)}
"""(H, W) of the frames in pixels."""


def check_attack(attack: Attack) -> Iterator[Outcome]:
    """Check an attack on views with the contents that its `needs` declare."""
    yield outcome("declared needs", lambda: _check_needs(attack))
    prepared = outcome("preparation", lambda: attack.prepare("cpu"))
    yield prepared
    if prepared.skipped:
        return
    views = {name: make_view(attack, made_up_picture(_rng(0), size)) for name, size in SIZES.items()}
    for name, view in views.items():
        yield outcome(f"guess of a {name} frame", partial(_check_guess, attack, view))
    if "pixels" in attack.needs:
        yield outcome("every pixel is filled", lambda: _check_filled(attack))
    constant = make_view(attack, np.full((64, 64, 3), 51 / 255, np.float32))
    yield outcome("guess of a constant picture", lambda: _check_guess(attack, constant))
    wide = views["wide"]
    contents = sorted(attack.needs - {"nothing"})
    for need in contents if len(contents) > 1 else ():
        # A run calls the attack as soon as a view holds any of its needs.
        alone = make_view(attack, made_up_picture(_rng(0), SIZES["wide"]), frozenset({need}))
        yield outcome(f"guess from {need} alone", partial(_check_guess, attack, alone))
    if "nothing" in attack.needs:
        yield outcome("guess without a view", lambda: _check_guess(attack, wide.blind()))
    yield outcome("guesses are deterministic", lambda: _check_determinism(attack, wide))
    if not attack.stochastic:
        yield outcome("the guess does not depend on chance", lambda: _check_chance(attack, wide))
    yield outcome("the view stays unchanged", lambda: _check_view_unchanged(attack))
    yield outcome("guesses do not depend on the batch", lambda: _check_batch(attack, [*views.values()]))
    if isinstance(attack, ReadOutAttack):
        for name, view in views.items():
            yield outcome(f"reading of a {name} frame", partial(_check_reading, attack, view))
        yield outcome(
            "readings do not depend on the batch", lambda: _check_readings(attack, [*views.values()])
        )
    if attack.completes:
        yield outcome("completion of a reading", lambda: _check_completion(attack))


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _check_needs(attack: Attack) -> None:
    if not attack.needs:
        raise BrokenRule(f"`needs` names one or more of {', '.join(NEEDS)}; found none")
    if attack.requests < 1:
        raise BrokenRule(f"`requests` is at least 1, found {attack.requests}")


def _check_guess(attack: Attack, view: View) -> None:
    _check_array(attack.reconstruct(view, _rng(1)), (*view.frame_size, 3))


def _check_filled(attack: Attack) -> None:
    """Refuse hidden pixels that are black, as the canvas is, in the guess of a frame and of its negative."""
    for name, size in SIZES.items():
        frame = made_up_picture(_rng(0), size)
        views = [make_view(attack, picture) for picture in (frame, 1 - frame)]
        _, seen = views[0].canvas()
        black = np.logical_and.reduce([~attack.reconstruct(view, _rng(1)).any(axis=2) for view in views])
        left = black & ~seen
        if left.any():
            row, column = np.argwhere(left)[0]
            raise BrokenRule(
                f"{left.sum()} of {(~seen).sum()} hidden pixels of a {name} frame are black, as the canvas is where "
                f"nothing was received, the first in row {row}, column {column}: fill every pixel"
            )


def _check_array(array: object, shape: tuple[int, ...], subject: str = "") -> None:
    try:
        expect_array(array, shape, "float32")
    except BrokenRule as broken:
        raise BrokenRule(f"{subject}: {broken}" if subject else str(broken)) from None
    if isinstance(array, np.ndarray) and (array.min() < 0 or array.max() > 1):
        prefix = f"{subject}: " if subject else ""
        raise BrokenRule(f"{prefix}expected values in [0, 1], found {array.min():.4g} to {array.max():.4g}")


def _check_reading(attack: ReadOutAttack, view: View) -> None:
    reading = attack.read_out(view, _rng(1))
    if not isinstance(reading, Reading):
        raise BrokenRule(f"`read_out` returns a Reading, found {type(reading).__name__}")
    _check_array(reading.picture, (*view.frame_size, 3), "picture")
    _check_array(reading.confidence, view.frame_size, "confidence")
    read = reading.confidence > 0
    difference = _largest(attack.reconstruct(view, _rng(1))[read] - reading.picture[read])
    if difference > 1e-5:
        raise BrokenRule(
            f"`reconstruct` returns the pixels that `read_out` read, found a difference of {difference:.3g}: "
            "override `read_out` alone"
        )


def _check_readings(attack: ReadOutAttack, views: list[View]) -> None:
    together = attack.read_out_many(views, [_rng(index) for index in range(len(views))])
    if len(together) != len(views):
        raise BrokenRule(f"expected {len(views)} readings, found {len(together)}")
    for index, view in enumerate(views):
        alone = attack.read_out(view, _rng(index))
        for name in ("picture", "confidence"):
            difference = _largest(getattr(alone, name) - getattr(together[index], name))
            if difference > 1e-5:
                raise BrokenRule(f"a reading's {name} differs by {difference:.3g} between a batch and alone")


def _check_completion(attack: Attack) -> None:
    """Compare the guesses from pixels alone, and from the same pixels and a reading of the frame's right half."""
    frame = made_up_picture(_rng(0), SIZES["square"])
    view = make_view(attack, frame, frozenset({"pixels"}))
    confidence = np.zeros(view.frame_size, np.float32)
    confidence[:, frame.shape[1] // 2 :] = SURE
    with_reading = replace(view, reading=Reading(picture=1 - frame, confidence=confidence))
    guess, alone = (attack.reconstruct(each, _rng(1)) for each in (with_reading, view))
    canvas, seen = with_reading.canvas()
    changed = _largest(guess[seen] - canvas[seen])
    if changed > 1e-3:
        raise BrokenRule(
            f"an attack with `completes = True` keeps what `view.canvas()` holds, found a change of {changed:.3g}"
        )
    if np.array_equal(guess[~seen], alone[~seen]):
        raise BrokenRule(
            "a reading of half the frame does not change the guess of the rest: start from `view.canvas()`, "
            "not from `view.patches`, or leave `completes = True` out"
        )


def _largest(differences: npt.NDArray[np.float32]) -> float:
    return float(np.abs(differences).max(initial=0))


def _check_determinism(attack: Attack, view: View) -> None:
    guesses = []
    for seed in (1, 2):
        seed_globals(seed)
        guesses.append(attack.reconstruct(view, _rng(7)))
    if not same(*guesses):
        raise BrokenRule("the same view and generator gave two different guesses: draw from `rng` alone")


def _check_chance(attack: Attack, view: View) -> None:
    guesses = [attack.reconstruct(view, _rng(seed)) for seed in (7, 8)]
    if not same(*guesses):
        raise BrokenRule(
            "the guess depends on `rng`: set `stochastic = True`, so that suites run the attack several times"
        )


def _check_view_unchanged(attack: Attack) -> None:
    view = make_view(attack, made_up_picture(_rng(0), SIZES["wide"]))
    arrays: list[Array] = [patch.picture for patch in (*view.patches, *view.degraded)]
    arrays += [view.prior.mean_colour, *view.prior.pictures]
    arrays += [array for tokens in view.tokens for array in (tokens.values, tokens.positions)]
    expect_unchanged(arrays, lambda: attack.reconstruct(view, _rng(1)))


def _check_batch(attack: Attack, views: list[View]) -> None:
    batch = attack.reconstruct_many(views, [_rng(index) for index in range(len(views))])
    if len(batch) != len(views):
        raise BrokenRule(f"expected {len(views)} guesses, found {len(batch)}")
    for index, view in enumerate(views):
        difference = _largest(attack.reconstruct(view, _rng(index)) - batch[index])
        if difference > 1e-5:
            raise BrokenRule(f"a guess from a batch differs by {difference:.3g} from the guess made alone")
