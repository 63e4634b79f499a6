"""Texture that repeats is continued; other texture, other colours and the seen part are left alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pedbench.inversion.repetition import continue_texture
from pedbench.types import Mask, Picture

SIZE = (120, 160)


def _wall(texture: npt.NDArray[np.float64]) -> Picture:
    return (np.array([0.5, 0.55, 0.6]) + 0.02 * texture[..., None]).astype(np.float32)


def _seen() -> Mask:
    seen = np.zeros(SIZE, np.bool_)
    seen[:60, 40:80] = seen[60:, 80:120] = True
    return seen


def _error(guess: Picture, truth: Picture) -> float:
    return float(np.square(guess - truth)[~_seen()].mean())


@pytest.mark.parametrize("period", [(7, 0), (11, 5)])
def test_a_pattern_is_continued_in_step(period: tuple[int, int]) -> None:
    rows, columns = np.indices(SIZE)
    pattern = np.sin(2 * np.pi * columns / period[0])
    if period[1]:
        pattern *= np.sin(2 * np.pi * rows / period[1])
    truth, seen = _wall(pattern), _seen()
    flat = np.where(seen[..., None], truth, _wall(np.zeros(SIZE)))
    guess = continue_texture(flat, seen)
    assert _error(guess, truth) < 0.4 * _error(flat, truth)
    np.testing.assert_array_equal(guess[seen], truth[seen])
    assert guess.dtype == np.float32


def test_noise_is_not_copied() -> None:
    seen = _seen()
    truth = _wall(np.random.default_rng(0).standard_normal(SIZE))
    flat = np.where(seen[..., None], truth, _wall(np.zeros(SIZE)))
    np.testing.assert_array_equal(continue_texture(flat, seen), flat)


def test_a_surface_of_another_colour_gets_none() -> None:
    seen, stripes = _seen(), np.sin(2 * np.pi * np.indices(SIZE)[1] / 7)
    floor = np.full((*SIZE, 3), 0.1, np.float32)
    guess = np.where(seen[..., None], _wall(stripes), floor)
    far = np.zeros(SIZE, np.bool_)
    far[:, :20] = far[:, 140:] = True
    np.testing.assert_array_equal(continue_texture(guess, seen)[far], floor[far])


def test_nothing_seen_and_nothing_hidden_change_nothing() -> None:
    guess = np.random.default_rng(0).random((*SIZE, 3), np.float32)
    for seen in (np.zeros(SIZE, np.bool_), np.ones(SIZE, np.bool_)):
        np.testing.assert_array_equal(continue_texture(guess, seen), guess)
