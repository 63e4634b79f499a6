"""What the server of learned noise gets, what it makes of it, and that the noise is new for every request."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pedbench.adversary.view import build_view
from pedbench.models.obfuscator import Obfuscator, load_obfuscator
from pedbench.plugins.defenses.feature_noise import FeatureNoise
from pedbench.privacy.disclosure_audit import Audit
from pedbench.privacy.visibility import visible_mask
from pedbench.types import Prior

PRIOR = Prior(mean_colour=np.zeros(3, np.float32), pictures=())


@pytest.fixture(scope="module")
def defense() -> FeatureNoise:
    prepared = FeatureNoise()
    prepared.prepare("cpu")
    return prepared


@pytest.fixture(scope="module")
def obfuscator() -> Obfuscator:
    return load_obfuscator(FeatureNoise().files[0])


def sent(done: Any) -> torch.Tensor:
    (message,) = done.received
    return torch.tensor(message.payload["tokens"])


def noise_of(done: Any, clean: torch.Tensor, obfuscator: Obfuscator) -> Any:
    """Return the noise (h, w, channels) in what the server of a pass received."""
    with torch.no_grad():
        return (obfuscator.channels(sent(done)) - obfuscator.project(clean[0])).numpy()


def test_the_server_gets_projected_tokens_with_white_noise(
    mini: Any, defense: FeatureNoise, obfuscator: Obfuscator
) -> None:
    frame = mini.picture()
    done, (seen,), found = mini.judge(defense, frame)
    assert found == Audit(whole_visible=(), invalid=())
    depth, count = obfuscator.sizes.blocks, obfuscator.sizes.channels
    noise = noise_of(done, mini.states(frame)[depth], obfuscator).reshape(-1, count).astype(np.float64)
    # Four hundred samples of each channel, all of standard deviation one and independent of each other.
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(1, abs=0.02)
    correlation = np.corrcoef(noise.T)[np.triu_indices(count, 1)]
    assert correlation.std() == pytest.approx(1 / len(noise) ** 0.5, rel=0.1)
    # The tokens have no more dimensions than there are channels.
    centred = seen.tokens[0].values.astype(np.float64) - obfuscator.expand.bias.numpy()
    values = np.linalg.svd(centred, compute_uv=False)
    assert values[count] < 1e-4 * values[count - 1]
    view = build_view(
        (seen,), (0,), frame_size=frame.shape[:2], disclosure="degraded", description={}, prior=PRIOR
    )
    assert [tokens.depth for tokens in view.tokens] == [depth]
    assert not visible_mask(view, frame).any()


def test_the_embedding_is_what_the_rest_of_the_encoder_makes_of_the_tokens(
    mini: Any, defense: FeatureNoise
) -> None:
    done = mini.run(defense, mini.picture())
    encoder = mini.networks.network("original").image_encoder
    tokens = sent(done)[None]
    with torch.inference_mode():
        for block in encoder.blocks[defense._obfuscator.sizes.blocks :]:
            tokens = block(tokens)
        expected = encoder.neck(tokens.permute(0, 3, 1, 2))
    torch.testing.assert_close(done.embedding.features, expected, atol=1e-4, rtol=1e-4)


def test_every_request_has_noise_of_its_own(mini: Any, defense: FeatureNoise, obfuscator: Obfuscator) -> None:
    frame = mini.picture()
    runs = [mini.run(defense, frame, seed) for seed in (1, 2, 1)]
    clean = mini.states(frame)[obfuscator.sizes.blocks]
    first, second, repeated = (noise_of(done, clean, obfuscator).ravel() for done in runs)
    np.testing.assert_array_equal(first, repeated)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0, abs=4 / first.size**0.5)


def test_an_encoder_with_other_tokens_is_refused(make_setting: Any, defense: FeatureNoise) -> None:
    padded = make_setting("padded")
    with pytest.raises(ValueError, match=r"takes tokens of 192 channels, .*--model mini"):
        padded.run(defense, padded.picture())
