"""Completion by a masked autoencoder, against calling transformers and against brute force."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.errors import CheckpointError
from pedbench.inversion.masked_autoencoder import (
    PatchLayout,
    layout,
    neighbour_statistics,
    patchify,
    predict_patches,
    unpatchify,
)
from pedbench.models.attackers.vitmae import fit_positions, load_autoencoder
from pedbench.plugins.attacks.vitmae import Vitmae
from pedbench.types import Mask, Patch, Picture, Prior, View
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


def test_every_number_of_patches_can_be_kept(mini: Path) -> None:
    network = load_autoencoder(str(mini)).network
    small = fit_positions(network, 7)
    pictures, ranks = torch.zeros(1, 3, 112, 112), torch.randperm(49)[None]
    for k in range(1, 49):
        # Raises if the network keeps others.
        predict_patches(small, pictures, ranks < k)
    # The plain ratio loses one here and there.
    assert any(int(49 * (1 - (1 - k / 49))) != k for k in range(1, 49))


def test_counts_that_the_network_cannot_keep_are_refused(mini: Path) -> None:
    network = load_autoencoder(str(mini)).network
    pictures = torch.zeros(2, 3, 320, 320)
    for counts in ((0, 0), (400, 400), (3, 4)):
        kept = torch.arange(400) < torch.tensor(counts)[:, None]
        with pytest.raises(ValueError, match="same number of kept patches, 1 to 399"):
            predict_patches(network, pictures, kept)


def test_patches_are_cut_as_a_loop_cuts_them() -> None:
    pictures = torch.rand(2, 3, 12, 12)
    expected = [
        [
            [
                pictures[b, c, 4 * row + y, 4 * column + x]
                for y in range(4)
                for x in range(4)
                for c in range(3)
            ]
            for row in range(3)
            for column in range(3)
        ]
        for b in range(2)
    ]
    assert torch.equal(patchify(pictures, 4), torch.tensor(expected))
    assert torch.equal(unpatchify(patchify(pictures, 4), 4), pictures)


def _brute_kept(seen: Mask, over: PatchLayout) -> Mask:
    kept = np.zeros((over.count, over.count), bool)
    canvas = np.zeros((over.canvas, over.canvas), bool)
    canvas[: seen.shape[0], : seen.shape[1]] = seen
    for row in range(over.count):
        for column in range(over.count):
            inside = [
                canvas[y, x]
                for y in range(over.canvas)
                for x in range(over.canvas)
                if (y + 1) * over.count > row * over.canvas and y * over.count < (row + 1) * over.canvas
                if (x + 1) * over.count > column * over.canvas and x * over.count < (column + 1) * over.canvas
            ]
            kept[row, column] = all(inside)
    return kept


def test_only_patches_seen_as_a_whole_are_kept() -> None:
    rng = np.random.default_rng(0)
    for canvas, count in ((28, 6), (20, 5), (14, 9)):
        over = PatchLayout(canvas=canvas, count=count, patch=4)
        seen = rng.random((canvas, canvas - 3)) < 0.97
        np.testing.assert_array_equal(over.kept(seen), _brute_kept(seen, over))


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


def test_positions_are_interpolated_as_a_grid(tmp_path: Path) -> None:
    network = load_autoencoder(str(make_autoencoder(tmp_path, side=224))).network
    fitted = fit_positions(network, 15)
    found = fitted.vit.embeddings.position_embeddings
    reference = network.vit.embeddings.interpolate_pos_encoding(torch.zeros(1, 226, 24), 240, 240)
    torch.testing.assert_close(found, reference)
    before = network.decoder.decoder_pos_embed[0, 1:].reshape(14, 14, -1)
    after = fitted.decoder.decoder_pos_embed[0, 1:].reshape(15, 15, -1)
    # Corners stay corners, and rows rows.
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert (after[corner] - before[corner]).norm() < (after[7, 7] - before[corner]).norm() / 3
    pictures, noise = torch.rand(1, 3, 240, 240), torch.randperm(225)[None].float()
    with torch.inference_mode():
        expected = network.vit(pictures, noise=noise, interpolate_pos_encoding=True).last_hidden_state
        torch.testing.assert_close(fitted.vit(pictures, noise=noise).last_hidden_state, expected)


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


def test_statistics_of_neighbours() -> None:
    patches, kept = torch.rand(9, 12), torch.zeros(9, dtype=torch.bool)
    kept[[0, 5]] = True
    mean, variance = neighbour_statistics(patches, kept)
    # Patch 8 is 8 away, squared, from patch 0 and 1 from patch 5.
    weights = np.array([1 / 8, 1]) / (1 / 8 + 1)
    assert mean[8].item() == pytest.approx(weights @ patches[[0, 5]].mean(1).numpy(), rel=1e-5)
    assert variance[8].item() == pytest.approx(weights @ patches[[0, 5]].var(1).numpy(), rel=1e-5)
    assert mean[5].item() == pytest.approx(patches[5].mean().item(), rel=1e-4)


def test_the_folder_says_how_pixels_are_normalised(tmp_path: Path) -> None:
    folder = make_autoencoder(tmp_path)
    settings = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 1.0]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    loaded = load_autoencoder(str(folder))
    assert loaded.mean.flatten().tolist() == settings["image_mean"]
    assert loaded.deviation.flatten().tolist() == settings["image_std"]


def test_what_is_no_such_model_is_refused(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTMAEModel

    with pytest.raises(
        CheckpointError, match=r"nano/config.json\nto get it: .*; to make it: pedbench train mae-nano"
    ):
        load_autoencoder("mae-nano")
    with pytest.raises(CheckpointError, match=r"looked for .*nowhere/config.json\npass a folder"):
        load_autoencoder(str(tmp_path / "nowhere"))
    with pytest.raises(
        CheckpointError, match=r"hub/someone/mae/config.json\nto get it: hf download someone/mae"
    ):
        load_autoencoder("someone/mae")
    ViTConfig().save_pretrained(tmp_path / "vit")
    with pytest.raises(CheckpointError, match="found a model of type 'vit'"):
        load_autoencoder(str(tmp_path / "vit"))
    whole = load_autoencoder(str(make_autoencoder(tmp_path / "code"))).network
    (tmp_path / "code" / "modeling.py").write_text("raise SystemExit")
    with pytest.raises(CheckpointError, match="found code next to the weights"):
        load_autoencoder(str(tmp_path / "code"))
    ViTMAEModel(whole.config).save_pretrained(tmp_path / "trunk")
    with pytest.raises(CheckpointError, match="found no weights for decoder"):
        load_autoencoder(str(tmp_path / "trunk"))


def test_a_state_dict_of_torch_is_read_as_well(mini: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "config.json").write_bytes((mini / "config.json").read_bytes())
    from safetensors.torch import load_file

    torch.save(load_file(mini / "model.safetensors"), folder / "pytorch_model.bin")
    expected = load_autoencoder(str(mini)).network.state_dict()
    found = load_autoencoder(str(folder)).network.state_dict()
    assert all(torch.equal(found[name], values) for name, values in expected.items())
