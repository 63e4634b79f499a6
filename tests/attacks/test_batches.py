"""Attacks on an accelerator: in batches by its way, on a CPU, and on a device that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.plugins.attacks.completion import Completion
from pedbench.plugins.attacks.diffusion_inpaint import DiffusionInpaint
from pedbench.plugins.attacks.guided_inversion import GuidedInversion
from pedbench.plugins.attacks.token_inversion import TokenInversion
from pedbench.plugins.attacks.vitmae import Vitmae
from pedbench.types import Patch, Picture, Prior, View
from tests.attacks.test_guided_inversion import scene_view
from tests.made_models import make_autoencoder, make_inpaint_mini, make_inpainting
from tests.pretended_device import pretended_cuda

PRIOR = Prior(mean_colour=np.array([0.2, 0.4, 0.6], np.float32), pictures=())


def _views() -> list[View]:
    """Return views of two shapes and one that holds nothing, two windows each elsewhere."""
    views = []
    for index, size in enumerate([(240, 320), (320, 320), (240, 320), (320, 320), (240, 320), (240, 320)]):
        rng = np.random.default_rng(index)
        corners = [(0, 64 * index % 256), (128, 192)] if index != 3 else []
        tiles = tuple(
            Patch(picture=rng.random((64, 64, 3), np.float32), top=top, left=left, server=0)
            for top, left in corners
        )
        views.append(View(frame_size=size, patches=tiles, description={"family": "mini"}, prior=PRIOR))
    return views


def _make(kind: str, folder: Path) -> Any:
    if kind == "vitmae":
        return Vitmae(model=str(make_autoencoder(folder)))
    if kind == "normalised vitmae":
        return Vitmae(model=str(make_autoencoder(folder, norm_pix_loss=True)), statistics="neighbours")
    if kind == "stable diffusion":
        return DiffusionInpaint(model=str(make_inpainting(folder)), samples=2, steps=2)
    model = make_inpaint_mini(folder, guesser="completion-mini")
    return DiffusionInpaint(model=str(model), samples=2, steps=2)


def _guess(attack: Any, views: list[View]) -> list[Picture]:
    rngs = [np.random.default_rng(len(view.patches) * view.frame_size[0]) for view in views]
    guesses: list[Picture] = attack.reconstruct_many(views, rngs)
    return guesses


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vitmae", "inpaint-mini", "stable diffusion"])
def test_guesses_do_not_depend_on_who_shares_a_batch(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two shapes, and a view that holds nothing.
    attack, views = _make(kind, tmp_path / "model"), _views()[2:5]
    attack.prepare("cpu")
    alone = [_guess(attack, [view])[0] for view in views]
    attack.prepare("cpu:0")
    for size in (1, 2):
        monkeypatch.setattr("pedbench.host.device.STAND_IN", size)
        for guess, expected in zip(_guess(attack, views), alone, strict=True):
            np.testing.assert_allclose(guess, expected, atol=1e-5)
    for guess, expected in zip(_guess(attack, views[::-1]), alone[::-1], strict=True):
        np.testing.assert_allclose(guess, expected, atol=1e-5)


@pytest.mark.slow
def test_half_precision_stays_what_it_is_on_an_accelerator(tmp_path: Path) -> None:
    attack = DiffusionInpaint(
        model=str(make_inpainting(tmp_path / "half", variant="fp16")), samples=2, steps=2
    )
    attack.prepare("cpu")
    views = _views()[2:4]
    exact = _guess(attack, views)
    attack.prepare("cpu:0")
    parts = attack.network.pipeline.components.values()
    assert {part.dtype for part in parts if hasattr(part, "dtype")} == {torch.float16}
    for guess, expected in zip(_guess(attack, views), exact, strict=True):
        np.testing.assert_allclose(guess, expected, atol=0.1)
        assert np.abs(guess - expected).mean() < 2e-3
    attack.prepare("cpu")
    for guess, expected in zip(_guess(attack, views), exact, strict=True):
        np.testing.assert_array_equal(guess, expected)


def test_only_accelerators_get_samples_together() -> None:
    assert DiffusionInpaint().batches("cuda")
    assert not DiffusionInpaint().batches("cpu")
    assert Completion().batches("cpu")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["inpaint-mini", "stable diffusion", "vitmae", "normalised vitmae"])
def test_completing_networks_compute_where_they_are_told(kind: str, tmp_path: Path) -> None:
    _compare(_make(kind, tmp_path / "model"), _views()[2:5])


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack", [TokenInversion(steps=2), GuidedInversion(evaluations=1)], ids=lambda a: a.name
)
def test_inverting_attacks_compute_where_they_are_told(attack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.optim.LBFGS.step", lambda self, closure: closure())
    monkeypatch.setattr("torch.optim.Adam.step", lambda self: None)
    _compare(attack, [scene_view(0)[1]])


def _compare(attack: Any, views: list[View]) -> None:
    attack.prepare("cpu")
    expected = _guess(attack, views)
    with pretended_cuda():
        attack.prepare("cuda")
        found = _guess(attack, views)
    for guess, alone in zip(found, expected, strict=True):
        np.testing.assert_allclose(guess, alone, atol=1e-5)


def test_the_pretended_device_does_not_mix_with_the_cpu() -> None:
    with pretended_cuda():
        on_gpu = torch.ones(2, device="cuda")
        assert (on_gpu + 1).cpu().tolist() == [2, 2]
        with pytest.raises(RuntimeError, match="on the pretended device and on the CPU"):
            on_gpu + torch.ones(2)
