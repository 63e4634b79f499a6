"""Pixels from deeper tokens, by optimisation."""

import numpy as np
import pytest
import torch

from pedbench.adversary.prior import load_prior
from pedbench.inversion.smoothness import total_variation
from pedbench.inversion.token_optimisation import first_guess, token_grids
from pedbench.inversion.token_reader import token_reader
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import load_network
from pedbench.models.sam.stages import run_blocks
from pedbench.plugins.attacks.patch_inversion import PatchInversion
from pedbench.plugins.attacks.token_inversion import TokenInversion
from pedbench.scenes.render import render
from pedbench.types import Mask, Patch, Picture, Tokens, View


def _scene(index: int) -> Picture:
    picture: Picture = render(2, index, "val").image.astype(np.float32) / np.float32(255)
    return picture


def _view(frame: Picture, depth: int, windows: tuple[tuple[int, int], ...] = ()) -> View:
    """Tokens before block `depth`: of the whole grid, or of some windows together with their pixels."""
    network = load_network(MINI, "original")
    encoder = network.image_encoder
    with torch.inference_mode():
        tokens = encoder.patch_embed(preprocess(network, frame)) + encoder.pos_embed
        grid = run_blocks(encoder, tokens, 0, depth)[0].numpy()
    positions = np.indices((20, 20)).transpose(1, 2, 0).reshape(-1, 2)
    if windows:
        positions = positions[[tuple(place) in windows for place in (positions // 4).tolist()]]
    patches = tuple(
        Patch(
            picture=frame[64 * row : 64 * row + 64, 64 * column : 64 * column + 64],
            top=64 * row,
            left=64 * column,
            server=0,
        )
        for row, column in windows
    )
    tokens = Tokens(values=grid[positions[:, 0], positions[:, 1]], positions=positions, depth=depth, server=0)
    return View(
        frame_size=(frame.shape[0], frame.shape[1]),
        patches=patches,
        tokens=(tokens,),
        description={"family": "mini", "params": {"weights": "original"}},
        prior=load_prior(),
    )


def _psnr(guess: Picture, truth: Picture, region: Mask | None = None) -> float:
    errors = np.square(guess.astype(np.float64) - truth)
    return float(-10 * np.log10(errors[region].mean() if region is not None else errors.mean()))


def _guess(attack: TokenInversion | PatchInversion, view: View) -> Picture:
    guess: Picture = attack.reconstruct(view, np.random.default_rng(0))
    return guess


def test_tokens_are_those_that_the_network_makes() -> None:
    network, frame = load_network(MINI, "original"), _scene(3)[:240, :200]
    grids = token_grids(network, torch.tensor(frame).permute(2, 0, 1), {0, 2, 5})
    assert grids.keys() == {0, 2, 5}
    encoder = network.image_encoder
    with torch.inference_mode():
        bare = encoder.patch_embed(preprocess(network, frame))
        torch.testing.assert_close(grids[0], bare[0], atol=1e-4, rtol=1e-4)
        for depth in (2, 5):
            expected = run_blocks(encoder, bare + encoder.pos_embed, 0, depth)
            torch.testing.assert_close(grids[depth], expected[0], atol=1e-3, rtol=1e-3)


def test_total_variation_is_the_mean_gradient() -> None:
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    ramp = torch.stack([3 * rows + 4 * columns, 0 * rows, 12 * columns])
    assert total_variation(ramp).item() == pytest.approx((3**2 + 4**2 + 12**2) ** 0.5)


@pytest.mark.long
def test_deeper_tokens_are_read_far_better_than_by_the_embedding_alone() -> None:
    frame = _scene(0)
    for depth, gain in ((1, 6), (4, 8)):
        view = _view(frame, depth)
        estimated, found = _guess(PatchInversion(), view), _guess(TokenInversion(), view)
        assert _psnr(found, frame) > _psnr(estimated, frame) + gain


@pytest.mark.long
def test_mixed_tokens_tell_of_windows_that_were_never_received() -> None:
    frame = _scene(3)
    windows = tuple((row, column) for row in range(5) for column in range(5) if (row + 2 * column) % 3 == 0)
    view = _view(frame, 4, tuple(window for window in windows if window[1] * 64 < frame.shape[1]))
    canvas, seen = view.canvas()
    nearest = first_guess(view, token_reader(view))
    found = _guess(TokenInversion(), view)
    assert _psnr(found, frame, ~seen) > _psnr(nearest, frame, ~seen) + 1
    np.testing.assert_array_equal(found[seen], canvas[seen])


@pytest.mark.slow
def test_the_guess_depends_on_the_view_alone() -> None:
    view = _view(_scene(3), 1)
    first = TokenInversion(steps=3).reconstruct(view, np.random.default_rng(1))
    torch.manual_seed(5)
    assert first.tobytes() == TokenInversion(steps=3).reconstruct(view, np.random.default_rng(2)).tobytes()
    assert first.dtype == np.float32
    assert 0 <= first.min() < first.max() <= 1


def test_a_whole_picture_is_left_as_it_is() -> None:
    frame = _scene(3)
    view = _view(frame, 4, tuple((row, column) for row in range(5) for column in range(4)))
    np.testing.assert_array_equal(_guess(TokenInversion(steps=1), view), frame)
