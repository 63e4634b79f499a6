"""The rules of attacks, checked against made-up views."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pedbench.base import Attack
from pedbench.checks.rule import BrokenRule, Outcome, outcome
from pedbench.checks.samples import made_up_picture, make_view, seed_globals
from pedbench.types import View

if TYPE_CHECKING:
    pass

NEEDS = ("nothing", "pixels", "degraded", "tokens", "metadata")

SIZES = {"square": (64, 64), "wide": (40, 96), "tall": (96, 40), "tiny": (8, 8)}
"""(H, W) of the frames."""


def check_attack(attack: Attack) -> Iterator[Outcome]:
    """Check an attack against views that hold what it says it needs."""
    yield outcome("declared needs", lambda: _check_needs(attack))
    prepared = outcome("preparation", lambda: attack.prepare("cpu"))
    yield prepared
    if prepared.skipped:
        return
    views = {name: make_view(attack, made_up_picture(_rng(0), size)) for name, size in SIZES.items()}
    for name, view in views.items():
        yield outcome(f"guess of a {name} frame", partial(_check_guess, attack, view))
    constant = make_view(attack, np.full((64, 64, 3), 51 / 255, np.float32))
    yield outcome("guess of a constant picture", lambda: _check_guess(attack, constant))
    wide = views["wide"]
    fresh = make_view(attack, made_up_picture(_rng(0), SIZES["wide"]))
    contents = sorted(attack.needs - {"nothing"})
    for need in contents if len(contents) > 1 else ():
        # A run asks for guesses where a view offers any of what the attack needs.
        alone = make_view(attack, made_up_picture(_rng(0), SIZES["wide"]), frozenset({need}))
        yield outcome(f"guess from {need} alone", partial(_check_guess, attack, alone))
    if "nothing" in attack.needs:
        yield outcome("guess without a view", lambda: _check_guess(attack, wide.blind()))
    yield outcome("the same guess twice", lambda: _check_determinism(attack, wide))
    if not attack.stochastic:
        yield outcome("no chance in the guess", lambda: _check_chance(attack, wide))
    yield outcome("the view is left as it is", lambda: _check_view_unchanged(attack, fresh))
    yield outcome("batches change nothing", lambda: _check_batch(attack, [*views.values()]))


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _check_needs(attack: Attack) -> None:
    unknown = sorted(set(attack.needs) - set(NEEDS))
    if unknown or not attack.needs:
        raise BrokenRule(f"`needs` names some of {', '.join(NEEDS)}; found {sorted(attack.needs)}")
    if attack.requests < 1:
        raise BrokenRule(f"`requests` is at least 1, found {attack.requests}")


def _check_guess(attack: Attack, view: View) -> None:
    guess = attack.reconstruct(view, _rng(1))
    expected = (*view.frame_size, 3)
    if not isinstance(guess, np.ndarray) or guess.shape != expected or guess.dtype != np.float32:
        found = f"{guess.dtype} {guess.shape}" if isinstance(guess, np.ndarray) else type(guess).__name__
        raise BrokenRule(f"expected a float32 array of shape {expected}, found {found}")
    if not np.isfinite(guess).all():
        raise BrokenRule(f"{np.count_nonzero(~np.isfinite(guess))} values are not finite")
    if guess.min() < 0 or guess.max() > 1:
        raise BrokenRule(f"expected values in [0, 1], found {guess.min():.4g} to {guess.max():.4g}")


def _check_determinism(attack: Attack, view: View) -> None:
    guesses = []
    for seed in (1, 2):
        seed_globals(seed)
        guesses.append(attack.reconstruct(view, _rng(7)))
    if not np.array_equal(guesses[0], guesses[1]):
        raise BrokenRule("the same view and generator gave two different guesses: draw from `rng` alone")


def _check_chance(attack: Attack, view: View) -> None:
    guesses = [attack.reconstruct(view, _rng(seed)) for seed in (7, 8)]
    if not np.array_equal(guesses[0], guesses[1]):
        raise BrokenRule(
            "the guess depends on `rng`: say `stochastic = True`, so that suites draw it several times"
        )


def _check_view_unchanged(attack: Attack, view: View) -> None:
    held: list[np.ndarray[Any, Any]] = [patch.picture for patch in (*view.patches, *view.degraded)]
    held += [view.prior.mean_colour, *view.prior.pictures]
    held += [array for tokens in view.tokens for array in (tokens.values, tokens.positions)]
    before = [array.copy() for array in held]
    attack.reconstruct(view, _rng(1))
    if not all(np.array_equal(old, new) for old, new in zip(before, held, strict=True)):
        raise BrokenRule("the attack wrote into what it was given: copy arrays before changing them")


def _check_batch(attack: Attack, views: list[View]) -> None:
    together = attack.reconstruct_many(views, [_rng(index) for index in range(len(views))])
    if len(together) != len(views):
        raise BrokenRule(f"expected {len(views)} guesses, found {len(together)}")
    for index, view in enumerate(views):
        difference = float(np.abs(attack.reconstruct(view, _rng(index)) - together[index]).max())
        if difference > 1e-5:
            raise BrokenRule(f"a guess differs by {difference:.3g} between a batch and alone")
