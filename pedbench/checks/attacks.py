"""The rules of attacks, checked against made-up views."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pedbench.base import Attack
from pedbench.checks import BrokenRule, Outcome, made_up_picture, outcome
from pedbench.types import MessageFacts, Patch, Picture, Prior, Tokens, View

if TYPE_CHECKING:
    from pedbench.models.sam.family import Weights

NEEDS = ("nothing", "pixels", "degraded", "tokens", "metadata")

SIZES = {"square": (64, 64), "wide": (40, 96), "tall": (96, 40), "tiny": (8, 8)}
"""(H, W) of the frames."""

WEIGHTS: Weights = "small"
"""Which of the mini family's networks the views' tokens come from."""


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


def make_view(attack: Attack, frame: Picture, needs: frozenset[str] | None = None) -> View:
    """A view of a frame that holds what an attack needs, once per request that it asks for.

    Args:
        needs: What it holds instead.
    """
    height, width = frame.shape[:2]
    needs = attack.needs if needs is None else needs
    patches: list[Patch] = []
    degraded: list[Patch] = []
    tokens: list[Tokens] = []
    messages: list[MessageFacts] = []
    for request in range(attack.requests):
        if "pixels" in needs:
            for top in (0, height // 2):
                tile = frame[top : top + height // 4, : width // 2].copy()
                patches.append(Patch(picture=tile, top=top, left=0, server=0, request=request))
        if "degraded" in needs:
            coarse = frame[::4, ::4].repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
            degraded.append(Patch(picture=coarse, top=0, left=0, server=0, request=request))
        if "tokens" in needs:
            tokens.append(_made_up_tokens(frame, request))
        messages.append(
            MessageFacts(
                server=0,
                request=request,
                sequence=0,
                operation="encode_windows",
                bytes_in=9000,
                bytes_out=90000,
                received=0.0,
            )
        )
    prior = Prior(
        mean_colour=np.array([0.4, 0.5, 0.45], np.float32),
        pictures=tuple(made_up_picture(_rng(seed), (48, 64)) for seed in range(1, 5)),
    )
    return View(
        frame_size=(height, width),
        patches=tuple(patches),
        degraded=tuple(degraded),
        tokens=tuple(tokens),
        description={"defense": "made up", "version": 1, "params": {"weights": WEIGHTS}, "family": "mini"},
        messages=tuple(messages),
        prior=prior,
    )


def _made_up_tokens(frame: Picture, request: int) -> Tokens:
    """All tokens of a frame before the second block of the smallest network that pedbench ships."""
    import torch

    from pedbench.models.sam.assembly import preprocess
    from pedbench.models.sam.family import MINI, load_network
    from pedbench.models.sam.stages import run_blocks

    network = load_network(MINI, WEIGHTS)
    encoder = network.image_encoder
    with torch.inference_mode():
        grid = run_blocks(encoder, encoder.patch_embed(preprocess(network, frame)) + encoder.pos_embed, 0, 1)[
            0
        ]
    positions = np.indices(grid.shape[:2]).transpose(1, 2, 0).reshape(-1, 2)
    values = grid.flatten(0, 1).numpy()
    return Tokens(values=values, positions=positions, depth=1, server=0, request=request)


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


def seed_globals(seed: int) -> None:
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


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
