"""The trained networks in attacks: they get at inference what they got in training."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from pedbench.adversary.prior import load_prior
from pedbench.inversion.completion import complete_frame
from pedbench.inversion.token_decoding import computed_tokens, received_tokens
from pedbench.models.attackers.restoration import RestorationSizes, RestorationTransformer, load_restoration
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import load_network
from pedbench.models.sam.stages import run_blocks
from pedbench.offload.passes.assignment import assign
from pedbench.pictures.frame import to_uint8
from pedbench.plugins.attacks.completion import Completion
from pedbench.plugins.attacks.nearest_pixel import NearestPixel
from pedbench.plugins.attacks.token_decoder import TokenDecoder
from pedbench.scenes.render import render
from pedbench.training.data.coalition_masks import held_pixels, held_tokens
from pedbench.types import Patch, Picture, Tokens, View

GRID = SAM_MINI.grid
PED = {"family": "mini", "defense": "ped_sam", "params": {"weights": "fine-tuned"}}


def _scene(index: int) -> Picture:
    return (render(2, index, "val").image / 255).astype(np.float32)


def _view(frame: Picture, server: int = 0, **more: Any) -> View:
    size = (frame.shape[0], frame.shape[1])
    windows = assign("dispersed", GRID.active(size), 3, np.random.default_rng(0))[server]
    tiles = [GRID.tile(window, size) for window in windows]
    patches = tuple(
        Patch(picture=frame[tile.slices].copy(), top=tile.top, left=tile.left, server=server)
        for tile in tiles
    )
    more.setdefault("description", PED)
    return View(frame_size=size, patches=patches, prior=load_prior(), **more)


def test_the_network_sees_what_it_saw_in_training() -> None:
    torch.manual_seed(0)
    network = RestorationTransformer(RestorationSizes(width=24, depth=1, heads=2)).eval()
    frame = _scene(0)
    height, width = frame.shape[:2]
    windows = assign("dispersed", GRID.active((height, width)), 3, np.random.default_rng(0))[0]
    visible = torch.from_numpy(held_pixels(windows, (height, width), GRID).astype(np.float32))[None, None]
    picture, inside = torch.zeros(1, 3, 320, 320), torch.zeros(1, 1, 320, 320)
    picture[..., :height, :width] = torch.from_numpy(frame).permute(2, 0, 1)
    inside[..., :height, :width] = 1
    with torch.no_grad():
        guess = network(*(functional.avg_pool2d(part, 2) for part in (picture, visible, inside)))
    part = guess[..., : height // 2, : width // 2]
    full = functional.interpolate(part, (height, width), mode="bicubic").clamp(0, 1)[0].permute(1, 2, 0)
    seen = visible[0, 0, :height, :width].bool().numpy()
    expected = np.where(seen[..., None], frame, full.numpy())
    np.testing.assert_allclose(complete_frame(network, *_view(frame).canvas()), expected, atol=1e-5)


@pytest.mark.parametrize("size", [(320, 200), (77, 123), (1, 40), (1024, 683)])
def test_frames_of_any_size_are_completed(size: tuple[int, int]) -> None:
    network = RestorationTransformer(RestorationSizes(width=24, depth=1, heads=2)).eval()
    canvas = np.zeros((*size, 3), np.float32)
    seen = np.zeros(size, np.bool_)
    seen[:, : size[1] // 3] = True
    canvas[seen] = 0.25
    guess = complete_frame(network, canvas, seen)
    assert guess.shape == canvas.shape
    assert guess.dtype == np.float32
    assert np.isfinite(guess).all()
    np.testing.assert_array_equal(guess[seen], canvas[seen])


def test_computed_tokens_are_those_of_the_whole_encoder() -> None:
    frame = _scene(1)
    view = _view(frame)
    found, visible = computed_tokens(view)
    network = load_network(MINI, "fine-tuned")
    encoder = network.image_encoder
    with torch.inference_mode():
        embedded = encoder.patch_embed(preprocess(network, to_uint8(frame))) + encoder.pos_embed
        expected = run_blocks(encoder, embedded, 0, 6)[0].numpy()
    np.testing.assert_allclose(found[visible], expected[visible], atol=1e-4)
    assert not found[~visible].any()
    windows = assign("dispersed", GRID.active(view.frame_size), 3, np.random.default_rng(0))[0]
    np.testing.assert_array_equal(visible, held_tokens(windows, GRID))


def test_tokens_of_another_depth_are_not_decoded() -> None:
    rng = np.random.default_rng(0)
    positions = np.array([[0, 1], [3, 2]])
    deep, mixed = (
        Tokens(values=rng.normal(size=(2, 192)).astype(np.float32), positions=positions, depth=d, server=0)
        for d in (7, 4)
    )
    view = _view(_scene(0), tokens=(deep, mixed), description={**PED, "params": {"weights": "original"}})
    values, visible = received_tokens(view, 4)
    np.testing.assert_array_equal(values[positions[:, 0], positions[:, 1]], mixed.values)
    assert visible.sum() == 2


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="no restoration network"):
        load_restoration(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("none")
    with pytest.raises(ValueError, match="no restoration network"):
        load_restoration(tmp_path / "text.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("attack", [Completion(), TokenDecoder()], ids=lambda attack: attack.name)
def test_shipped_networks_beat_the_nearest_pixel(attack: Any) -> None:
    attack.prepare("cpu")
    gains = []
    for index, server in itertools.product(range(6), (0, 2)):
        frame = _scene(index)
        view = _view(frame, server)
        seen = view.canvas()[1]
        rng = np.random.default_rng(0)
        errors = [
            np.square(guess - frame)[~seen].mean()
            for guess in (attack.reconstruct(view, rng), NearestPixel().reconstruct(view, rng))
        ]
        gains.append(10 * np.log10(errors[1] / errors[0]))
    assert np.mean(gains) > 0.5
