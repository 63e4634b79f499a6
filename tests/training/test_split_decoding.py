"""The course of split inference's decoder: its tokens, where it starts, and what its loss counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.inversion.token_optimisation import token_grids
from pedbench.models.attackers.split_decoding import DEPTHS, SplitDecoderSizes
from pedbench.models.manifest import ASSETS
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import load_network
from pedbench.training.data.packing import PackedScenes
from pedbench.training.recipes import RECIPES, make_course

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def course(scenes: PackedScenes) -> Any:
    recipe = replace(
        RECIPES["decoder-split-mini"], batch=2, sizes=SplitDecoderSizes(depth=1, rounds=1, detail=4)
    )
    return make_course(
        "decoder-split-mini", recipe, training=scenes, validation=scenes, weights=ASSETS, device="cpu"
    )


def test_tokens_are_those_that_the_server_receives(course: Any) -> None:
    batch = course.make_batch(0)
    found = course.tokens(batch, DEPTHS)
    assert tuple(found) == DEPTHS
    for place, (height, width) in enumerate(batch.sizes):
        frame = batch.images[place, :, :height, :width]
        with torch.no_grad():
            expected = token_grids(load_network(MINI, "original"), frame, DEPTHS)
        for depth in DEPTHS:
            torch.testing.assert_close(found[depth][place], expected[depth], atol=1e-3, rtol=1e-3)


def test_it_starts_better_behind_fewer_blocks(course: Any) -> None:
    scores = course.scores(course.network.eval())
    assert list(scores) == [f"PSNR behind {depth} blocks" for depth in DEPTHS]
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert scores["PSNR behind 2 blocks"] > 20


def test_the_loss_is_the_error_over_the_frames(course: Any) -> None:
    course.precision = "no"
    names = set()
    for step in range(12):
        batch = course.make_batch(step)
        with torch.no_grad():
            loss, values = course.loss(step, batch)
        ((name, value),) = values.items()
        names.add(name)
        if step < 3:
            depth = int(name.removeprefix("RMSE "))
            with torch.no_grad():
                guesses = course.network(course.tokens(batch, (depth,))[depth], depth).numpy()
            truth = batch.images.numpy()
            errors = [
                np.sqrt(np.square(guess[:, :height, :width] - picture[:, :height, :width]).mean())
                for guess, picture, (height, width) in zip(guesses, truth, batch.sizes, strict=True)
            ]
            assert float(loss) == pytest.approx(np.mean(errors), rel=1e-4)
            assert value == pytest.approx(float(loss))
    assert names == {f"RMSE {depth}" for depth in DEPTHS}
