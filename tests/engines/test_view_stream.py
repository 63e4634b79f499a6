"""`pedbench.views` gives authors the views that attacks of a run get."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pedbench
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import View


def timeless(view: View) -> bytes:
    return view_to_bytes(replace(view, messages=tuple(replace(each, received=0) for each in view.messages)))


@pytest.mark.long
@pytest.mark.slow
def test_views_are_those_that_a_runs_attack_gets(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacked: list[View] = []

    def spy(view: View) -> bytes:
        attacked.append(view)
        return view_to_bytes(view)

    monkeypatch.setattr("pedbench.measure.guesses.view_to_bytes", spy)
    run_small(
        tmp_path,
        seed=5,
        defenses=[{"name": "ped_sam", "params": {"assignment": "random"}}],
        attacks=["mean_colour"],
        metrics=["root_mean_square_error"],
        utility=[],
        coalitions=[{"c": 1}],
        dataset={"name": "scenes", "params": {"count": 8}, "limit": 1},
    )
    defense, scenes = PedSam(assignment="random"), "scenes(count=8)"
    pairs = list(pedbench.views(defense, scenes, count=3, seed=5, with_truth=True))
    assert len(pairs) == 3
    assert {timeless(view) for view, _ in pairs} == set(map(timeless, attacked))
    for view, frame in pairs:
        canvas, seen = view.canvas()
        assert 0 < seen.mean() < 1
        assert np.array_equal(canvas[seen], frame[seen])
        assert not any(np.shares_memory(patch.picture, frame) for patch in view.patches)
