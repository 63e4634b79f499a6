"""RMSE and PSNR against independent implementations, and their conventions."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio as skimage_ratio
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_ratio

from pedbench.metrics.peak_signal_noise_ratio import PeakSignalNoiseRatio
from pedbench.metrics.root_mean_square_error import RootMeanSquareError
from pedbench.types import Picture


@pytest.fixture(name="pair")
def _pair() -> tuple[Picture, Picture]:
    rng = np.random.default_rng(3)
    truth = rng.random((40, 50, 3)).astype(np.float32)
    return truth, np.clip(truth + rng.normal(0, 0.1, truth.shape), 0, 1).astype(np.float32)


def test_ratio_equals_skimage_and_torchmetrics_on_the_unit_range(pair: tuple[Picture, Picture]) -> None:
    truth, guess = pair
    ours = PeakSignalNoiseRatio()([guess], truth, {"whole": np.ones((40, 50), bool)})[0]["whole"]
    theirs = torchmetrics_ratio(torch.tensor(guess), torch.tensor(truth), data_range=1.0)
    assert ours == pytest.approx(skimage_ratio(truth, guess, data_range=1), abs=1e-4)
    assert ours == pytest.approx(float(theirs), abs=1e-4)
    # A peak of 255 on this range would read 48 dB more.
    assert 18 < ours < 23


def test_regions_are_scored_on_their_own_pixels(pair: tuple[Picture, Picture]) -> None:
    truth, guess = pair
    left = np.zeros((40, 50), bool)
    left[:, :20] = True
    spoilt = guess.copy()
    spoilt[:, 20:] = 0
    regions = {"left": left, "empty": np.zeros_like(left)}
    for metric in (PeakSignalNoiseRatio(), RootMeanSquareError()):
        honest, changed = metric([guess, spoilt], truth, regions)
        assert honest == changed
        assert set(honest) == {"left"}
    error = RootMeanSquareError()([guess], truth, regions)[0]["left"]
    assert error == pytest.approx(
        np.linalg.norm(guess[:, :20] - truth[:, :20]) / np.sqrt(40 * 20 * 3), rel=1e-5
    )


def test_exact_copy_is_finite(pair: tuple[Picture, Picture]) -> None:
    truth, _ = pair
    whole = {"whole": np.ones((40, 50), bool)}
    assert PeakSignalNoiseRatio()([truth], truth, whole) == [{"whole": 100.0}]
    assert RootMeanSquareError()([truth], truth, whole) == [{"whole": 0.0}]


def test_whole_ratio_follows_from_the_hidden_one_and_the_visible_share(pair: tuple[Picture, Picture]) -> None:
    truth, guess = pair
    visible = np.zeros((40, 50), bool)
    visible[5:30, 10:40] = True
    pasted = np.where(visible[..., None], truth, guess)
    regions = {"hidden": ~visible, "whole": np.ones_like(visible)}
    ratio = PeakSignalNoiseRatio()([pasted], truth, regions)[0]
    gain = 10 * np.log10(1 / (1 - visible.mean()))
    assert ratio["whole"] == pytest.approx(ratio["hidden"] + gain, abs=1e-9)
