"""Decoding of obfuscated tokens: more requests tell more, and a part of the grid tells nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.adversary.prior import load_prior
from pedbench.models.obfuscator import load_obfuscator
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import load_network
from pedbench.models.sam.stages import run_blocks
from pedbench.plugins.attacks.feature_decoder import FeatureDecoder
from pedbench.plugins.attacks.patch_inversion import PatchInversion
from pedbench.plugins.defenses.feature_noise import FeatureNoise
from pedbench.scenes.render import render
from pedbench.types import Picture, Tokens, View

FRAME: Picture = render(2, 3, "val").image.astype(np.float32) / np.float32(255)
DESCRIPTION = {"defense": "feature_noise", "family": "mini", "params": {}}


def _view(requests: int, frame: Picture = FRAME) -> View:
    """Return the view of a server after some requests for one frame."""
    network, obfuscator = load_network(MINI, "original"), load_obfuscator(FeatureNoise().files[0])
    encoder, generator = network.image_encoder, torch.Generator().manual_seed(3)
    with torch.inference_mode():
        embedded = encoder.patch_embed(preprocess(network, frame)) + encoder.pos_embed
        tokens = run_blocks(encoder, embedded, 0, obfuscator.sizes.blocks)[0].reshape(400, -1)
        noise = torch.randn(requests, 400, obfuscator.sizes.channels, generator=generator)
        sent = obfuscator(tokens, noise).numpy()
    positions = np.indices((20, 20)).transpose(1, 2, 0).reshape(-1, 2)
    return View(
        frame_size=(frame.shape[0], frame.shape[1]),
        tokens=tuple(
            Tokens(
                values=values,
                positions=positions,
                depth=obfuscator.sizes.blocks,
                server=0,
                request=request,
            )
            for request, values in enumerate(sent)
        ),
        description=DESCRIPTION,
        prior=load_prior(),
    )


def _guess(view: View, attack: Any = None) -> Picture:
    attack = attack or FeatureDecoder()
    attack.prepare("cpu")
    guess: Picture = attack.reconstruct(view, np.random.default_rng(0))
    return guess


def _psnr(guess: Picture, truth: Picture = FRAME) -> float:
    return float(-10 * np.log10(np.square(guess.astype(np.float64) - truth).mean()))


@pytest.mark.slow
def test_more_requests_tell_more_and_the_trained_network_more_than_the_embedding() -> None:
    one, eight = _view(1), _view(8)
    assert _psnr(_guess(eight)) > _psnr(_guess(one)) + 0.5
    assert _psnr(_guess(one)) > _psnr(_guess(one, PatchInversion())) + 2


def test_requests_beyond_those_that_it_knows_and_those_of_another_frame_are_left_out() -> None:
    eight, one = _view(8), _view(1)
    seven = replace(eight, tokens=eight.tokens[:7])
    moving = replace(eight, moves=True)
    first = replace(eight, tokens=eight.tokens[:1])
    np.testing.assert_array_equal(_guess(moving), _guess(first))
    np.testing.assert_array_equal(_guess(seven), _guess(first))
    assert not np.array_equal(_guess(eight), _guess(one))


def test_a_part_of_the_grid_is_left_to_the_mean_colour() -> None:
    view = _view(1)
    (tokens,) = view.tokens
    part = replace(view, tokens=(replace(tokens, values=tokens.values[:9], positions=tokens.positions[:9]),))
    expected = np.broadcast_to(view.prior.mean_colour, FRAME.shape)
    np.testing.assert_allclose(_guess(part), expected, atol=1e-6)


def test_frames_that_fill_part_of_the_canvas_are_decoded() -> None:
    frame = FRAME[:200, :230]
    guess = _guess(_view(8, frame))
    assert guess.shape == frame.shape
    assert _psnr(guess, frame) > _psnr(np.broadcast_to(frame.mean((0, 1)), frame.shape), frame) + 2


def test_it_applies_to_the_tokens_that_it_was_trained_on() -> None:
    attack = FeatureDecoder()
    assert attack.applies(DESCRIPTION) is None
    assert "not those of split_blocks on mini" in str(
        attack.applies(DESCRIPTION | {"defense": "split_blocks"})
    )
    assert "not those of feature_noise on vit_b" in str(attack.applies(DESCRIPTION | {"family": "vit_b"}))


def test_other_numbers_of_requests_are_refused() -> None:
    with pytest.raises(ValueError, match=r"requests is 1 or 8, .* found 4"):
        FeatureDecoder(requests=4)
