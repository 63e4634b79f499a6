"""Completion by a masked autoencoder, against calling transformers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.errors import CheckpointError
from pedbench.inversion.masked_autoencoder import layout
from pedbench.plugins.attacks.vitmae import Vitmae
from pedbench.types import Patch, Picture, Prior, View
from tests.made_models import make_autoencoder

PRIOR = Prior(mean_colour=np.array([0.2, 0.4, 0.6], np.float32), pictures=())


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_autoencoder(tmp_path_factory.mktemp("mini"))


def _attack(folder: Path, **params: Any) -> Vitmae:
    attack = Vitmae(model=str(folder), **params)
    attack.prepare("cpu")
    return attack


def _picture(size: tuple[int, int], seed: int = 0) -> Picture:
    rng = np.random.default_rng(seed)
    picture: Picture = (rng.integers(0, 256, (*size, 3)) / 255).astype(np.float32)
    return picture


def _view(frame: Picture, windows: list[tuple[int, int]], side: int, family: str = "mini") -> View:
    tiles = []
    for row, column in windows:
        picture = frame[row * side : (row + 1) * side, column * side : (column + 1) * side]
        tiles.append(Patch(picture=picture, top=row * side, left=column * side, server=0))
    return View(
        frame_size=(frame.shape[0], frame.shape[1]),
        patches=tuple(tiles),
        description={"family": family},
        prior=PRIOR,
    )


def _guess(attack: Vitmae, view: View) -> Picture:
    guess: Picture = attack.reconstruct(view, np.random.default_rng(0))
    return guess


def test_the_mini_grid_is_what_transformers_predicts(mini: Path) -> None:
    from transformers import ViTMAEForPreTraining

    frame, windows = _picture((320, 320)), [(0, 0), (1, 3), (4, 2)]
    guess = _guess(_attack(mini), _view(frame, windows, 64))
    network = ViTMAEForPreTraining.from_pretrained(mini).eval()
    network.config.mask_ratio = 1 - (3 * 16 + 0.5) / 400
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = torch.tensor(((frame - mean) / deviation).astype(np.float32)).permute(2, 0, 1)[None]
    kept = np.zeros((20, 20), bool)
    for row, column in windows:
        kept[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = True
    noise = torch.tensor(np.where(kept, 0.0, 1.0).reshape(1, -1) + np.arange(400) * 1e-4)
    with torch.no_grad():
        logits = network(pixels, noise=noise).logits
    expected = network.unpatchify(logits)[0].permute(1, 2, 0).numpy() * deviation + mean
    hidden = ~kept.repeat(16, 0).repeat(16, 1)
    np.testing.assert_allclose(guess[hidden], np.clip(expected, 0, 1)[hidden], atol=2e-5)
    np.testing.assert_array_equal(guess[~hidden], frame[~hidden])


def test_hidden_pixels_have_no_influence(mini: Path) -> None:
    attack, windows = _attack(mini), [(1, 1), (2, 3)]
    first, second = _picture((240, 320)), _picture((240, 320), seed=1)
    for row, column in windows:
        place = np.s_[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64]
        second[place] = first[place]
    views = [_view(frame, windows, 64) for frame in (first, second)]
    assert _guess(attack, views[0]).tobytes() == _guess(attack, views[1]).tobytes()


@pytest.mark.parametrize(("each", "side"), [(0, 240), (3, 240), (6, 480)])
def test_sam_windows_are_whole_patches_of_a_base_model(tmp_path: Path, each: int, side: int) -> None:
    """SAM at 1024 px: 14-token windows of 224 px on a canvas of 1120 px; the model was trained at 224 px."""
    frame, windows = _picture((768, 1024)), [(0, 0), (1, 2), (3, 4)]
    view = _view(frame, windows, 224, family="vit_b")
    over = layout(view, 224, 16, each)
    assert (over.canvas, over.side) == (1120, side)
    kept, n = over.kept(view.canvas()[1]), over.count // 5
    expected = np.zeros_like(kept)
    expected[:n, :n] = expected[n : 2 * n, 2 * n : 3 * n] = True
    # (3, 4) lies across the frame's corner: 96 of 224 rows and 128 of 224 columns are the frame's.
    expected[3 * n : 3 * n + 96 * n // 224, 4 * n : 4 * n + 128 * n // 224] = True
    np.testing.assert_array_equal(kept, expected)
    guess = _guess(_attack(make_autoencoder(tmp_path, side=224), window_patches=each), view)
    assert guess.shape == frame.shape
    np.testing.assert_array_equal(guess[:224, :224], frame[:224, :224])


def test_batches_are_what_single_views_are(mini: Path) -> None:
    attack = _attack(mini)
    views = [
        _view(_picture((320, 320), 1), [(0, 0)], 64),
        _view(_picture((240, 320), 2), [(0, 1), (2, 2)], 64),
        _view(_picture((320, 320), 3), [(3, 3)], 64),
        _view(_picture((320, 320), 4), [], 64),
    ]
    rngs = [np.random.default_rng(index) for index in range(4)]
    for view, together in zip(views, attack.reconstruct_many(views, rngs), strict=True):
        np.testing.assert_allclose(_guess(attack, view), together, atol=1e-5)
        assert _guess(attack, view).tobytes() == _guess(attack, view).tobytes()


def test_nothing_to_complete_from_is_the_mean_colour(mini: Path) -> None:
    attack, frame = _attack(mini), _picture((240, 320))
    np.testing.assert_array_equal(_guess(attack, _view(frame, [], 64))[5, 5], PRIOR.mean_colour)
    sliver = Patch(picture=frame[:5, :5], top=0, left=0, server=0)
    guess = _guess(attack, replace(_view(frame, [], 64), patches=(sliver,)))
    np.testing.assert_allclose(guess[100, 100], frame[:5, :5].mean((0, 1)), atol=1e-6)
    whole = [(row, column) for row in range(4) for column in range(5)]
    np.testing.assert_array_equal(_guess(attack, _view(frame, whole, 64)), frame)


def test_normalised_targets_need_statistics(tmp_path: Path, mini: Path) -> None:
    folder = make_autoencoder(tmp_path, norm_pix_loss=True)
    with pytest.raises(ValueError, match="normalised pixels, which needs statistics = 'neighbours'"):
        _attack(folder)
    with pytest.raises(ValueError, match="pixels as they are, which needs statistics = 'none'"):
        _attack(mini, statistics="neighbours")
    guess = _guess(_attack(folder, statistics="neighbours"), _view(_picture((320, 320)), [(2, 2)], 64))
    assert np.isfinite(guess).all()


def test_a_network_without_positions_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = make_autoencoder(tmp_path) / "model.safetensors"
    state = load_file(file)
    state["decoder.decoder_pos_embed"].zero_()
    save_file(state, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"positions .*decoder_pos_embed.* all zero"):
        _attack(tmp_path)
