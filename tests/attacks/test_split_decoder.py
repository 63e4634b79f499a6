"""Decoding of split inference, alone and as the start of an inversion."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.adversary.prior import load_prior
from pedbench.inversion.token_optimisation import explained, first_guess
from pedbench.inversion.token_reader import token_reader
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import load_network
from pedbench.models.sam.stages import run_blocks
from pedbench.plugins.attacks.patch_inversion import PatchInversion
from pedbench.plugins.attacks.split_decoder import SplitDecoder
from pedbench.scenes.render import render
from pedbench.types import Picture, Tokens, View

FRAME: Picture = render(2, 3, "val").image.astype(np.float32) / np.float32(255)


def _view(depth: int, frame: Picture = FRAME) -> View:
    """Return a server's view of `split_blocks`: the tokens of the whole grid before block `depth`."""
    network = load_network(MINI, "original")
    encoder = network.image_encoder
    with torch.inference_mode():
        tokens = encoder.patch_embed(preprocess(network, frame)) + encoder.pos_embed
        grid = run_blocks(encoder, tokens, 0, depth)[0].numpy()
    positions = np.indices((20, 20)).transpose(1, 2, 0).reshape(-1, 2)
    return View(
        frame_size=(frame.shape[0], frame.shape[1]),
        tokens=(Tokens(values=grid.reshape(400, -1), positions=positions, depth=depth, server=0),),
        description={
            "defense": "split_blocks",
            "family": "mini",
            "params": {"blocks": depth, "weights": "original"},
        },
        prior=load_prior(),
    )


def _attack(refine: int = 0, corrections: int = 0) -> SplitDecoder:
    attack = SplitDecoder(refine=refine, corrections=corrections)
    attack.prepare("cpu")
    return attack


def _guess(attack: Any, view: View, seed: int = 0) -> Picture:
    guess: Picture = attack.reconstruct(view, np.random.default_rng(seed))
    return guess


def _psnr(guess: Picture, truth: Picture = FRAME) -> float:
    return float(-10 * np.log10(np.square(guess.astype(np.float64) - truth).mean()))


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 4, 6])
def test_tokens_are_decoded_far_better_than_by_the_embedding_alone(depth: int) -> None:
    view = _view(depth)
    decoded, estimated = _guess(_attack(), view), _guess(PatchInversion(), view)
    assert _psnr(decoded) > _psnr(estimated) + 6


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 4, 6])
def test_corrections_come_nearer_to_the_picture(depth: int) -> None:
    view = _view(depth)
    assert _psnr(_guess(_attack(corrections=4), view)) > _psnr(_guess(_attack(), view)) + 1


@pytest.mark.slow
def test_the_descent_explains_more_of_the_tokens_and_depends_on_the_view_alone() -> None:
    view = _view(4)
    decoded, refined = _guess(_attack(), view), _guess(_attack(refine=6), view, seed=1)
    torch.manual_seed(5)
    assert refined.tobytes() == _guess(_attack(refine=6), view, seed=2).tobytes()
    network, reader = load_network(MINI, "original"), token_reader(view)
    shares = [explained(network, view, reader, picture).mean() for picture in (decoded, refined)]
    assert shares[1] > shares[0]


@pytest.mark.slow
def test_frames_that_fill_part_of_the_canvas_are_decoded() -> None:
    frame = FRAME[:200, :230]
    guess = _guess(_attack(), _view(2, frame))
    assert guess.shape == frame.shape
    assert _psnr(guess, frame) > 24


def test_a_part_of_the_grid_is_read_by_the_linear_estimate() -> None:
    view = _view(2)
    (tokens,) = view.tokens
    part = replace(tokens, values=tokens.values[:40], positions=tokens.positions[:40])
    view = replace(view, tokens=(part,))
    np.testing.assert_array_equal(_guess(_attack(), view), first_guess(view, token_reader(view)))


def test_it_applies_to_the_tokens_that_it_was_trained_on() -> None:
    known: dict[str, Any] = dict(_view(4).description)
    attack = SplitDecoder()
    assert attack.applies(known) is None
    for change, reason in (
        ({"family": "vit_b"}, "not of original of vit_b"),
        ({"params": {"blocks": 4, "weights": "fine-tuned"}}, "not of fine-tuned of mini"),
        ({"params": {"blocks": 1, "weights": "original"}}, "behind 2, 4, 6 blocks"),
        ({"defense": "ped_sam"}, "as `split_blocks` sends them"),
    ):
        assert reason in str(attack.applies(known | change))


def test_a_negative_number_of_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="refine is at least 0, found -1"):
        SplitDecoder(refine=-1)
