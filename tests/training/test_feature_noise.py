"""The training of the obfuscator: whose turn it is, what each side's step improves, and what is scored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from pedbench.models.attackers.split_decoding import SplitDecoderSizes
from pedbench.models.manifest import ASSETS
from pedbench.models.obfuscator import ObfuscatorSizes
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import load_network
from pedbench.training.data.packing import PackedScenes
from pedbench.training.recipes import RECIPES, make_course
from pedbench.training.tasks.validation import one_click_scores

pytestmark = pytest.mark.slow


def _course(scenes: PackedScenes, channels: int = 96, **changes: Any) -> Any:
    recipe = replace(
        RECIPES["feature-noise-mini"],
        batch=2,
        sizes=ObfuscatorSizes(channels=channels),
        adversary=SplitDecoderSizes(width=channels, depth=1, rounds=1, detail=4),
        **changes,
    )
    torch.manual_seed(0)
    course: Any = make_course(
        "feature-noise-mini", recipe, training=scenes, validation=scenes, weights=ASSETS, device="cpu"
    )
    return course


def _moved(module: torch.nn.Module) -> bool:
    return any(each.grad is not None and bool(each.grad.any()) for each in module.parameters())


def test_the_two_sides_take_turns(scenes: PackedScenes) -> None:
    course = _course(scenes, adversary_steps=2)
    turns = []
    for step in range(6):
        for module in (course.network, course.auxiliary):
            module.zero_grad(set_to_none=True)
        loss, _ = course.loss(step, course.make_batch(step))
        loss.backward()
        turns.append((_moved(course.network), _moved(course.auxiliary)))
    assert turns == [(False, True), (False, True), (True, False)] * 2


@pytest.mark.parametrize(("reward", "improved"), [(0.0, "masks"), (1e4, "error")])
def test_the_obfuscator_goes_where_its_loss_says(scenes: PackedScenes, reward: float, improved: str) -> None:
    course = _course(scenes, reward=reward, adversary_steps=0)
    batch, optimiser = course.make_batch(0), torch.optim.Adam(course.network.parameters(), lr=1e-3)
    found = []
    for _ in range(4):
        loss, values = course.loss(0, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(values[improved])
    assert found == sorted(found, reverse=improved == "masks")
    assert found[0] != found[-1]
    assert float(loss.detach()) == pytest.approx(values["masks"] - reward * values["error"], rel=1e-4)


def test_without_loss_of_channels_and_with_little_noise_scores_are_those_of_the_encoder(
    scenes: PackedScenes,
) -> None:
    course = _course(scenes, channels=192, amplitude=1e5)
    expected = one_click_scores(load_network(MINI, "original"), scenes)
    scores = course.scores(course.network.eval())
    assert scores.pop("adversary's PSNR") > 20
    assert scores == pytest.approx(expected, abs=0.01)
    noisy = _course(scenes, channels=192, amplitude=0.5)
    assert noisy.scores(noisy.network.eval())["all"] < expected["all"] - 0.1
