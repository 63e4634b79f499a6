"""What metadata gives: what pictures have in common, and nothing of this one."""

import numpy as np
import pytest

from pedbench.plugins.attacks.metadata import Metadata
from pedbench.types import MessageFacts, Patch, Picture, Prior, View


def _prior(pictures: list[Picture]) -> Prior:
    mean = np.mean([picture.mean(axis=(0, 1)) for picture in pictures], axis=0).astype(np.float32)
    return Prior(mean_colour=mean, pictures=tuple(pictures))


def _guess(prior: Prior, bytes_in: int = 9000, patches: tuple[Patch, ...] = ()) -> Picture:
    facts = MessageFacts(
        server=0, request=0, sequence=0, operation="x", bytes_in=bytes_in, bytes_out=9, received=0.0
    )
    view = View(frame_size=(96, 128), messages=(facts,), patches=patches, prior=prior)
    guess: Picture = Metadata().reconstruct(view, np.random.default_rng(0))
    return guess


def test_what_all_pictures_share_is_guessed() -> None:
    rng = np.random.default_rng(0)
    bright_above = np.linspace(0.8, 0.2, 60, dtype=np.float32)[:, None, None]
    pictures = [
        np.clip(bright_above + rng.normal(0, 0.02, (60, 80, 3)), 0, 1).astype(np.float32) for _ in range(6)
    ]
    rows = np.linspace(0.8, 0.2, 96)[:, None, None]
    assert np.abs(_guess(_prior(pictures)) - rows).max() < 0.06


def test_pictures_with_nothing_in_common_leave_the_mean_colour() -> None:
    ramp = np.linspace(0.1, 0.9, 80, dtype=np.float32)[None, :, None] * np.ones((60, 1, 3), np.float32)
    prior = _prior([ramp, ramp[:, ::-1].copy()])
    assert np.abs(_guess(prior) - prior.mean_colour).max() < 0.01


def test_neither_content_nor_lengths_of_messages_change_the_guess() -> None:
    prior = _prior([np.random.default_rng(1).random((60, 80, 3), dtype=np.float32) for _ in range(3)])
    seen = Patch(picture=np.ones((20, 20, 3), np.float32), top=0, left=0, server=0)
    assert np.array_equal(_guess(prior), _guess(prior, bytes_in=70000, patches=(seen,)))


def test_no_side_is_refused() -> None:
    with pytest.raises(ValueError, match="side is at least 1, found 0"):
        Metadata(side=0)
