"""Noise of the stated strength, anew for every request, and on the frame's tokens alone."""

from typing import Any

import numpy as np
import pytest

from pedbench.adversary.view import build_view
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.plugins.defenses.token_noise import TokenNoise
from pedbench.privacy.disclosure_audit import Audit
from pedbench.privacy.visibility import visible_mask
from pedbench.types import Prior

PRIOR = Prior(mean_colour=np.zeros(3, np.float32), pictures=())


def sent(done: Any) -> Any:
    return {message.server: message.payload["tokens"] for message in done.received}


def test_noise_has_the_power_of_pixel_noise_behind_the_embedding(setting: Any) -> None:
    frame = setting.picture(0.7, 1)
    noisy, seen, found = setting.judge(TokenNoise(sigma=0.5), frame)
    clean = setting.run(PedSam(payload="tokens32"), frame)
    assert found == Audit(whole_visible=(), invalid=())
    noise = np.concatenate([(sent(noisy)[s] - sent(clean)[s]).reshape(-1) for s in range(3)])
    inside = noise[noise != 0]
    # White noise of half a deviation on normalised pixels, through the embedding's own weights.
    projection = setting.networks.network("fine-tuned").image_encoder.patch_embed.proj.weight.flatten(1)
    pixels = np.random.default_rng(1).normal(0, 0.5, (4000, projection.shape[1]))
    through = pixels @ projection.numpy().T.astype(np.float64)
    assert inside.std() == pytest.approx(np.sqrt(np.square(through).mean()), rel=0.02)
    assert abs(inside.mean()) < 0.02 * inside.std()
    assert len(inside) == sum(held.tokens[0].values.size for held in seen)
    view = build_view(
        seen, (0, 1, 2), frame_size=frame.shape[:2], disclosure="degraded", description={}, prior=PRIOR
    )
    assert not visible_mask(view, frame).any()
    assert [held.depth for held in view.tokens] == [0, 0, 0]


def test_every_request_has_noise_of_its_own(mini: Any) -> None:
    frame = mini.picture()
    one, two, again = (sent(mini.run(TokenNoise(), frame, seed))[0] for seed in (1, 2, 1))
    assert np.array_equal(one, again)
    differ = (one - two)[one != two]
    single = one - sent(mini.run(PedSam(payload="tokens32"), frame))[0]
    assert differ.std() == pytest.approx(np.sqrt(2) * single[single != 0].std(), rel=0.02)


def test_little_noise_changes_little(mini: Any) -> None:
    frame = mini.picture()
    expected = mini.run(PedSam(), frame).embedding.features
    errors = [
        float((mini.run(TokenNoise(sigma=sigma), frame).embedding.features - expected).square().mean())
        for sigma in (1e-6, 1e-2, 1)
    ]
    assert errors[0] < 1e-8
    assert errors == sorted(errors)


@pytest.mark.parametrize("sigma", [0, -1, float("inf"), float("nan")])
def test_strengths_without_sense_are_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma"):
        TokenNoise(sigma=sigma)
