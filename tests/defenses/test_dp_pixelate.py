"""The noise of dp_pixelate: its scale by the definition of differential privacy, and that it is fresh."""

from typing import Any

import numpy as np
import pytest
from skimage.measure import block_reduce

from pedbench.adversary.view import build_view
from pedbench.offload.operations.observation import observe
from pedbench.plugins.attacks.averaging import Averaging
from pedbench.plugins.defenses.dp_pixelate import DpPixelate
from pedbench.plugins.defenses.pixelate import pixelate
from pedbench.privacy.disclosure_audit import Audit
from pedbench.privacy.visibility import visible_mask
from pedbench.types import Picture, Prior

PRIOR = Prior(mean_colour=np.full(3, 0.5, np.float32), pictures=())


class _Generator:
    """Keeps the scale that it is asked for, and draws no noise."""

    def laplace(self, loc: float, scale: Any, size: tuple[int, ...]) -> Any:
        self.scale = np.broadcast_to(scale, size)
        return np.zeros(size)


def _loss(defense: DpPixelate, one: Picture, other: Picture) -> float:
    """Return the largest logarithm of the ratio of an answer's densities, which is that of the Laplace distribution."""
    generator: Any = _Generator()
    side = round(defense.block * max(one.shape))
    means = [defense.degrade(frame, generator)[::side, ::side].astype(np.float64) for frame in (one, other)]
    return float((np.abs(means[0] - means[1]) / generator.scale).sum())


@pytest.mark.parametrize("epsilon", [0.5, 8.0])
@pytest.mark.parametrize("m", [1, 6, 16])
def test_m_pixels_change_the_probability_of_no_answer_by_more_than_epsilon(epsilon: float, m: int) -> None:
    # Blocks of 4 x 4 pixels; of those at the border 4 x 2, 1 x 4 and 1 x 2 are left.
    defense, size = DpPixelate(block=0.2, epsilon=epsilon, m=m), (21, 18)
    rng, losses = np.random.default_rng(0), []
    corner = np.arange(21 * 18).reshape(size)[::-1, ::-1].ravel()
    for places in (corner[:m], *(rng.permutation(21 * 18)[:m] for _ in range(5))):
        one = np.zeros((*size, 3), np.float32)
        other = one.copy()
        other.reshape(-1, 3)[places] = 1
        losses.append(_loss(defense, one, other))
        other.reshape(-1, 3)[places, 0] = 0
        assert _loss(defense, one, other) == pytest.approx(losses[-1] * 2 / 3, rel=1e-5)
    assert losses == pytest.approx([epsilon] * len(losses), rel=1e-5)


def test_blocks_have_laplace_noise_of_the_scale_of_fan() -> None:
    grey = np.full((320, 320, 3), 0.5, np.float32)
    found = DpPixelate(block=8 / 320, epsilon=40.0, m=16).degrade(grey, np.random.default_rng(0))
    noise = block_reduce(found, (8, 8, 1), np.mean) - 0.5
    assert np.array_equal(pixelate(found, 8), found)
    # The sensitivity of a grey block, m / b^2, for each of three channels.
    scale = 3 * (16 / 8**2) / 40
    assert np.abs(noise).mean() == pytest.approx(scale, rel=0.03)
    assert np.abs(noise).max() > 6 * scale


def test_every_request_has_fresh_noise_that_averaging_takes_off(mini: Any) -> None:
    defense, frame = DpPixelate(), np.full((240, 320, 3), 102 / 255, np.float32)
    size = (240, 320)
    seen: list[Any] = []
    assert mini.judge(defense, frame)[2] == Audit(whole_visible=(), invalid=())
    for seed in range(4):
        received = mini.run(defense, frame, seed).received
        seen += observe(received, mini.servers.operations, mini.networks, size)
    errors = []
    for requests in (1, 4):
        view = build_view(
            seen[:requests], (0,), frame_size=size, disclosure="degraded", description={}, prior=PRIOR
        )
        assert not visible_mask(view, frame).any()
        guess = Averaging(requests=requests).reconstruct(view, np.random.default_rng(0))
        errors.append(np.sqrt(np.square(guess - frame).mean()))
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.1)


def test_labels_state_epsilon_and_strengths_without_sense_are_refused() -> None:
    assert DpPixelate().label == "dp_pixelate(epsilon=10.0)"
    for params in ({"epsilon": 0.0}, {"epsilon": float("inf")}, {"m": 0}, {"block": 0.0}):
        with pytest.raises(ValueError, match=next(iter(params))):
            DpPixelate(**params)
