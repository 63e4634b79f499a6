"""Pixels from tokens: exact where the embedding is wide, the best linear estimate where it is not.

On validation scenes the mini family's 192 channels give 30.8 dB by linear MMSE and 10.5 dB by pseudo-inverse.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.adversary.prior import load_prior
from pedbench.inversion.patch_embedding import (
    LinearEstimator,
    PatchEmbedding,
    PatchStatistics,
    embedding_of,
    patch_statistics,
    pseudo_inverse,
)
from pedbench.models.sam.assembly import PIXEL_MEAN, PIXEL_STD, preprocess
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import load_network
from pedbench.pictures.frame import from_uint8
from pedbench.plugins.attacks.patch_inversion import PatchInversion
from pedbench.scenes.render import render
from pedbench.types import Picture, Tokens, View


@cache
def _scene(index: int) -> Any:
    return render(2, index, "val").image


def _psnr(guess: Any, truth: Any) -> float:
    return float(-10 * np.log10(np.square(guess - truth).mean(dtype=np.float64)))


def _wide_network(channels: int) -> Any:
    torch.manual_seed(channels)
    return SimpleNamespace(
        image_encoder=SimpleNamespace(
            patch_embed=SimpleNamespace(proj=torch.nn.Conv2d(3, channels, 16, stride=16)),
            pos_embed=torch.zeros(1, 4, 4, channels),
        ),
        pixel_mean=torch.tensor(PIXEL_MEAN).view(3, 1, 1),
        pixel_std=torch.tensor(PIXEL_STD).view(3, 1, 1),
    )


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("channels", [768, 1280], ids=["vit_b", "vit_h"])
def test_wide_embeddings_give_their_pixels_away(channels: int, dtype: str) -> None:
    network = _wide_network(channels)
    pixels = torch.tensor(_scene(0)[:, :160].copy()).permute(2, 0, 1)[None]
    with torch.inference_mode():
        grid = network.image_encoder.patch_embed.proj((pixels - network.pixel_mean) / network.pixel_std)
    tokens = grid[0].flatten(1).T.numpy().astype(dtype).astype(np.float64)
    truth = pixels[0].reshape(3, 20, 16, 10, 16).permute(1, 3, 0, 2, 4).reshape(200, -1).numpy() / 255
    embedding = embedding_of(network)
    estimator = LinearEstimator(embedding, patch_statistics(load_prior().pictures, 16))
    assert _psnr(pseudo_inverse(embedding, tokens), truth) >= 40
    assert _psnr(estimator.patches(tokens, estimator.noise(tokens)), truth) >= 40


def _view(pixels: Any, depth: int = 0, rows: slice = slice(None)) -> View:
    """Tokens of some rows of the grid as the mini family's original network has them before block `depth`."""
    network = load_network(MINI, "original")
    encoder = network.image_encoder
    with torch.inference_mode():
        grid = encoder.patch_embed(preprocess(network, torch.tensor(pixels)))
        if depth:
            grid = grid + encoder.pos_embed
            for block in encoder.blocks[:depth]:
                grid = block(grid)
    height, width = pixels.shape[0] // 16, pixels.shape[1] // 16
    positions = np.indices((height, width)).transpose(1, 2, 0)[rows]
    values = grid[0, :height, :width].numpy()[rows].reshape(-1, grid.shape[-1])
    return View(
        frame_size=pixels.shape[:2],
        tokens=(Tokens(values=values, positions=positions.reshape(-1, 2), depth=depth, server=0),),
        description={"family": "mini", "params": {"weights": "original"}},
        prior=load_prior(),
    )


def _guess(view: View, attack: PatchInversion | None = None) -> Picture:
    guess: Picture = (attack or PatchInversion()).reconstruct(view, np.random.default_rng(0))
    return guess


@pytest.mark.slow
def test_the_patches_covariance_makes_up_for_missing_channels() -> None:
    found = []
    for index in (0, 2, 5):
        view, truth = _view(_scene(index)), from_uint8(_scene(index))
        inverted = _guess(view, PatchInversion(estimator="pseudo_inverse"))
        found.append((_psnr(_guess(view), truth), _psnr(inverted, truth)))
    estimated, inverted = np.mean(found, axis=0)
    assert estimated >= 24
    assert 5 < inverted < estimated - 10


def test_a_block_hides_less_than_all() -> None:
    truth = from_uint8(_scene(0))
    grey = _psnr(np.broadcast_to(truth.mean(axis=(0, 1)), truth.shape), truth)
    assert _psnr(_guess(_view(_scene(0), depth=1)), truth) > grey + 3


def test_a_position_embedding_is_taken_off() -> None:
    view = _view(_scene(0))
    tokens = view.tokens[0]
    table = load_network(MINI, "original").image_encoder.pos_embed[0].numpy()
    shifted = Tokens(
        values=tokens.values + table[tokens.positions[:, 0], tokens.positions[:, 1]],
        positions=tokens.positions,
        depth=0,
        server=0,
    )
    moved = View(
        frame_size=view.frame_size, tokens=(shifted,), description=view.description, prior=view.prior
    )
    np.testing.assert_allclose(_guess(moved), _guess(view), atol=1e-3)


def test_windows_that_never_came_take_the_mean_colour() -> None:
    guess = _guess(_view(_scene(0), rows=slice(0, 8)))
    received = guess[:128].reshape(-1, 3).mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(guess[128:], np.broadcast_to(received, guess[128:].shape), atol=1e-5)


def test_the_estimate_is_the_conditional_mean() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(12, 12))
    statistics = PatchStatistics(mean=rng.random(12), covariance=root @ root.T)
    embedding = PatchEmbedding(
        weight=rng.normal(size=(5, 12)), bias=rng.normal(size=5), positions=np.zeros((1, 1, 5)), side=2
    )
    tokens = rng.normal(size=(4, 5))
    crossed = statistics.covariance @ embedding.weight.T
    observed = embedding.weight @ crossed + 0.3 * np.eye(5)
    offset = tokens - embedding.embed(statistics.mean[None])
    expected = statistics.mean + offset @ np.linalg.solve(observed, crossed.T)
    np.testing.assert_allclose(LinearEstimator(embedding, statistics).patches(tokens, 0.3), expected)


def test_the_noise_is_found() -> None:
    rng = np.random.default_rng(0)
    embedding = embedding_of(load_network(MINI, "original"))
    statistics = patch_statistics(load_prior().pictures, 16)
    estimator = LinearEstimator(embedding, statistics)
    patches = rng.multivariate_normal(statistics.mean, statistics.covariance, 400, method="eigh")
    tokens = embedding.embed(patches)
    for variance in (1e-3, 1e-1):
        noisy = tokens + rng.normal(0, variance**0.5, tokens.shape)
        assert estimator.noise(noisy) == pytest.approx(variance, rel=0.25)


def test_statistics_count_every_pair_of_pixels_at_an_offset() -> None:
    picture = np.random.default_rng(0).random((6, 5, 3)).astype(np.float32)
    found = patch_statistics([picture], 2)
    centred = picture.astype(np.float64) - picture.mean(axis=(0, 1), dtype=np.float64)
    # Red at (0, 1) of the patch with blue at (1, 0): one row down, one column back.
    red, blue = 0 * 4 + 0 * 2 + 1, 2 * 4 + 1 * 2 + 0
    expected = (centred[:-1, 1:, 0] * centred[1:, :-1, 2]).sum() / 30
    assert found.covariance[red, blue] == pytest.approx(expected)
    assert found.covariance[blue, red] == found.covariance[red, blue]
    assert found.mean[red] == pytest.approx(picture[..., 0].mean())


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="estimator is 'magic'"):
        PatchInversion(estimator="magic")
    with pytest.raises(ValueError, match="at least 16x16 pixels"):
        patch_statistics([np.zeros((8, 8, 3), np.float32)], 16)
    view = _view(_scene(0))
    with pytest.raises(ValueError, match="names the family"):
        _guess(View(frame_size=view.frame_size, tokens=view.tokens, prior=view.prior))
