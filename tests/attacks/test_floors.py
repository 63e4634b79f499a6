"""The floors: what they fill in, what they keep, and what they answer without a view."""

import importlib

import numpy as np
import pytest

from pedbench.base import Attack
from pedbench.types import Mask, Patch, Picture, Prior, View

FLOORS = ("mean_colour", "nearest_pixel", "biharmonic", "random_image", "read_degraded")


def _floor(name: str) -> Attack:
    module = importlib.import_module(f"pedbench.plugins.attacks.{name}")
    attack: Attack = getattr(module, name.title().replace("_", ""))()
    return attack


def _ramp(height: int = 96, width: int = 128) -> Picture:
    """A picture that gets redder to the right and greener downwards."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns / width, rows / height, np.full((height, width), 0.5)], axis=2).astype(
        np.float32
    )


def _view(frame: Picture, seen: list[tuple[int, int, int, int]], degraded: Picture | None = None) -> View:
    patches = tuple(
        Patch(picture=frame[top:bottom, left:right], top=top, left=left, server=0)
        for top, bottom, left, right in seen
    )
    blurred = () if degraded is None else (Patch(picture=degraded, top=0, left=0, server=0),)
    prior = Prior(
        mean_colour=np.array([0.2, 0.4, 0.6], np.float32),
        pictures=tuple(np.full((30, 40, 3), level / 255, np.float32) for level in (10, 20, 30)),
    )
    return View(frame_size=(frame.shape[0], frame.shape[1]), patches=patches, degraded=blurred, prior=prior)


def _error(guess: Picture, truth: Picture, region: Mask) -> float:
    return float(np.sqrt(np.square(guess - truth)[region].mean()))


@pytest.mark.parametrize("name", FLOORS)
def test_every_floor_answers_an_empty_view_from_the_prior(name: str) -> None:
    view = _view(_ramp(), [])
    guess = _floor(name).reconstruct(view, np.random.default_rng(0))
    assert guess.shape == (96, 128, 3)
    assert guess.dtype == np.float32
    colours = [view.prior.mean_colour] if name != "random_image" else [p[0, 0] for p in view.prior.pictures]
    assert any(np.allclose(guess, colour, atol=1e-6) for colour in colours)


@pytest.mark.parametrize("name", ["mean_colour", "nearest_pixel", "biharmonic", "read_degraded"])
def test_what_was_seen_stays_as_it_is(name: str) -> None:
    frame = _ramp()
    guess = _floor(name).reconstruct(
        _view(frame, [(0, 32, 0, 48), (64, 96, 90, 128)]), np.random.default_rng(0)
    )
    assert np.array_equal(guess[:32, :48], frame[:32, :48])
    assert np.array_equal(guess[64:, 90:], frame[64:, 90:])


def test_mean_colour_ignores_what_it_did_not_see() -> None:
    frame = _ramp()
    guess = _floor("mean_colour").reconstruct(_view(frame, [(0, 96, 0, 64)]), np.random.default_rng(0))
    assert guess[50, 100] == pytest.approx(frame[:, :64].mean(axis=(0, 1)), abs=1e-5)


def test_nearest_pixel_copies_the_closest_edge() -> None:
    frame = _ramp()
    guess = _floor("nearest_pixel").reconstruct(_view(frame, [(20, 60, 10, 50)]), np.random.default_rng(0))
    assert np.array_equal(guess[30, 100], frame[30, 49])
    assert np.array_equal(guess[90, 20], frame[59, 20])


def test_biharmonic_continues_a_ramp_better_than_copying_does() -> None:
    frame = _ramp()
    view = _view(frame, [(0, 96, 0, 40), (0, 96, 88, 128)])
    _, seen = view.canvas()
    smooth = _error(_floor("biharmonic").reconstruct(view, np.random.default_rng(0)), frame, ~seen)
    copied = _error(_floor("nearest_pixel").reconstruct(view, np.random.default_rng(0)), frame, ~seen)
    assert smooth < 0.01
    assert smooth < copied / 5


@pytest.mark.parametrize("seen", [(50, 51, 60, 61), (50, 51, 0, 128), (0, 96, 7, 8)])
def test_biharmonic_stands_a_sliver(seen: tuple[int, int, int, int]) -> None:
    guess = _floor("biharmonic").reconstruct(_view(_ramp(), [seen]), np.random.default_rng(0))
    assert np.isfinite(guess).all()
    assert guess.min() >= 0
    assert guess.max() <= 1


def test_random_image_draws_by_its_generator_alone() -> None:
    view = _view(_ramp(), [(0, 96, 0, 64)])
    attack = _floor("random_image")
    guesses = [attack.reconstruct(view, np.random.default_rng(seed))[0, 0, 0] for seed in range(12)]
    assert guesses == [attack.reconstruct(view.blind(), np.random.default_rng(s))[0, 0, 0] for s in range(12)]
    assert len(set(guesses)) == 3


def test_read_degraded_returns_the_degraded_picture() -> None:
    frame = _ramp()
    degraded = np.full_like(frame, 0.25)
    guess = _floor("read_degraded").reconstruct(
        _view(frame, [(0, 20, 0, 20)], degraded), np.random.default_rng(0)
    )
    assert np.array_equal(guess[:20, :20], frame[:20, :20])
    assert np.array_equal(guess[20:, 20:], degraded[20:, 20:])
