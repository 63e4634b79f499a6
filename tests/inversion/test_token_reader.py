"""Readers of tokens are kept, but not without end."""

from __future__ import annotations

import numpy as np
import pytest

from pedbench.inversion import token_reader as module
from pedbench.types import Prior, View


def view_with_own_prior(seed: int) -> View:
    picture = np.random.default_rng(seed).random((64, 64, 3)).astype(np.float32)
    prior = Prior(mean_colour=np.full(3, 0.5, np.float32), pictures=(picture,))
    return View(frame_size=(64, 64), prior=prior, description={"family": "mini"})


def test_the_readers_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_READERS", {})
    views = [view_with_own_prior(seed) for seed in range(6)]
    readers = [module.token_reader(view) for view in views[:4]]
    assert module.token_reader(views[0]) is readers[0]
    module.token_reader(views[4])
    module.token_reader(views[5])
    assert module.token_reader(views[0]) is readers[0]
    assert module.token_reader(views[3]) is readers[3]
    assert len(module._READERS) == 4
    assert module.token_reader(views[1]) is not readers[1]
