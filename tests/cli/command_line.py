"""The command line in this process, and an attack for it that breaks every rule."""

from __future__ import annotations

import pytest

from pedbench.cli import main


def pedbench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    captured = capsys.readouterr()
    assert isinstance(exited.value.code, int)
    return exited.value.code, captured.out, captured.err


CARELESS = '''
from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack


@dataclass(kw_only=True)
class Careless(Attack):
    """Break every rule."""

    name = "careless"
    version = 1
    needs = frozenset({"nothing", "pixels", "degraded", "tokens"})

    def reconstruct(self, view, rng):
        if view.degraded or view.tokens:
            view.patches[0]
        if not view.patches:
            return np.full((*view.frame_size, 3), -0.5, np.float32)
        if min(view.frame_size) < 10:
            return np.zeros((10, 10, 3), np.float32)
        view.patches[0].picture[:] = 0
        return np.random.random((*view.frame_size, 3)).astype(np.float32)
'''
