"""Completion that fits mixed tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from pedbench.adversary.prior import load_prior
from pedbench.inversion.guided import WindowEncoder
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import load_network
from pedbench.models.sam.stages import run_blocks
from pedbench.offload.passes.assignment import assign
from pedbench.plugins.attacks.completion import Completion
from pedbench.plugins.attacks.guided_inversion import GuidedInversion
from pedbench.scenes.render import render
from pedbench.types import Patch, Picture, Tokens, View

GRID = SAM_MINI.grid


def scene_view(index: int, depth: int = 4) -> tuple[Picture, View]:
    """A scene, and what the first of three servers holds of it and of its tokens behind some blocks."""
    frame: Picture = (render(2, index, "val").image / 255).astype(np.float32)
    size = (frame.shape[0], frame.shape[1])
    windows = assign("dispersed", GRID.active(size), 3, np.random.default_rng(0))[0]
    tiles = [GRID.tile(window, size) for window in windows]
    network = load_network(MINI, "original")
    encoder = network.image_encoder
    with torch.inference_mode():
        tokens = encoder.patch_embed(preprocess(network, frame)) + encoder.pos_embed
        grid = run_blocks(encoder, tokens, 0, depth)[0].numpy()
    positions = np.indices(GRID.tokens).transpose(1, 2, 0).reshape(-1, 2)
    positions = positions[[tuple(place) in windows for place in (positions // GRID.window).tolist()]]
    group = Tokens(values=grid[positions[:, 0], positions[:, 1]], positions=positions, depth=depth, server=0)
    return frame, View(
        frame_size=size,
        patches=tuple(
            Patch(picture=frame[tile.slices].copy(), top=tile.top, left=tile.left, server=0) for tile in tiles
        ),
        tokens=(group,),
        description={"family": "mini", "params": {"weights": "original"}},
        prior=load_prior(),
    )


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute with one thread, as attacks do; on a busy host a second one is waited for at every operation."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def attack() -> GuidedInversion:
    attack = GuidedInversion(evaluations=100)
    attack.prepare("cpu")
    return attack


@pytest.fixture(scope="module")
def completion() -> Completion:
    attack = Completion()
    attack.prepare("cpu")
    return attack


def _psnr(guess: Picture, truth: Picture, view: View) -> float:
    hidden = ~view.canvas()[1]
    return float(-10 * np.log10(np.square(guess.astype(np.float64) - truth)[hidden].mean()))


def test_tokens_are_those_of_the_whole_encoder() -> None:
    """Encode another picture in the windows that may change, and compare with the whole encoder."""
    (frame, view), other = scene_view(0), (render(2, 1, "val").image / 255).astype(np.float32)
    canvas, seen = view.canvas()
    changed = np.where(seen[..., None], frame, np.resize(other, frame.shape))
    network = load_network(MINI, "original")
    encode = WindowEncoder(network, torch.from_numpy(canvas).permute(2, 0, 1).contiguous(), seen)
    found = encode(torch.from_numpy(changed).permute(2, 0, 1), {4, 6})
    encoder = network.image_encoder
    with torch.inference_mode():
        tokens = encoder.patch_embed(preprocess(network, changed)) + encoder.pos_embed
        for depth in (4, 6):
            expected = run_blocks(encoder, tokens, 0, depth)[0]
            torch.testing.assert_close(found[depth], expected, atol=1e-3, rtol=1e-3)


def test_tokens_that_were_not_mixed_leave_plain_completion(
    attack: GuidedInversion, completion: Completion
) -> None:
    rng = np.random.default_rng(0)
    _, view = scene_view(0, depth=3)
    for plain in (view, replace(view, tokens=())):
        np.testing.assert_array_equal(attack.reconstruct(plain, rng), completion.reconstruct(plain, rng))


@pytest.mark.long
def test_mixed_tokens_tell_more_than_completion_knows(
    attack: GuidedInversion, completion: Completion
) -> None:
    rng, gains = np.random.default_rng(0), []
    for index in range(3):
        frame, view = scene_view(index)
        canvas, seen = view.canvas()
        guess = attack.reconstruct(view, rng)
        np.testing.assert_array_equal(guess[seen], canvas[seen])
        gains.append(_psnr(guess, frame, view) - _psnr(completion.reconstruct(view, rng), frame, view))
    assert np.mean(gains) > 0.3


@pytest.mark.slow
def test_the_guess_depends_on_the_view_alone(attack: GuidedInversion) -> None:
    _, view = scene_view(0)
    few = replace(attack, evaluations=3)
    few.prepare("cpu")
    first = few.reconstruct(view, np.random.default_rng(1))
    torch.manual_seed(5)
    assert first.tobytes() == few.reconstruct(view, np.random.default_rng(2)).tobytes()
    assert first.dtype == np.float32
