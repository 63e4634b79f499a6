"""Structural similarity against scikit-image, and the rule for regions."""

import numpy as np
import pytest
from skimage import data
from skimage.metrics import structural_similarity as skimage_similarity

from pedbench.metrics.structural_similarity import StructuralSimilarity, similarity_maps
from pedbench.types import Picture


def _photograph(height: int, width: int) -> Picture:
    picture: Picture = (data.astronaut()[:height, :width] / 255).astype(np.float32)
    return picture


@pytest.mark.parametrize("size", [(240, 320), (65, 37), (11, 200)])
def test_map_equals_skimage(size: tuple[int, int]) -> None:
    truth = _photograph(*size)
    noisy = np.clip(truth + np.random.default_rng(0).normal(0, 0.2, truth.shape), 0, 1).astype(np.float32)
    guesses = [noisy, np.full_like(truth, 0.4), np.roll(truth, 3, axis=1)]
    for ours, guess in zip(similarity_maps(guesses, truth), guesses, strict=True):
        _, theirs = skimage_similarity(
            truth.astype(np.float64),
            guess.astype(np.float64),
            gaussian_weights=True,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=2,
            full=True,
        )
        assert np.abs(ours - theirs.mean(axis=2)).max() < 1e-6


def test_region_is_eroded_so_that_its_score_ignores_the_outside() -> None:
    truth = _photograph(60, 80)
    guess = np.clip(truth + 0.2 * np.sin(np.arange(80))[:, None], 0, 1).astype(np.float32)
    region = np.zeros((60, 80), bool)
    region[20:50, 30:] = True
    spoilt = np.where(region[..., None], guess, 1 - guess)
    one, other = StructuralSimilarity()([guess, spoilt], truth, {"region": region})
    assert one["region"] == pytest.approx(other["region"], abs=1e-9)
    # Eroded by 5 on the three sides inside the frame, not on the frame's edge.
    expected = similarity_maps([guess], truth)[0, 25:45, 35:].mean()
    assert one["region"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("side", "scored"), [(18, True), (17, False)])
def test_region_below_64_pixels_has_no_score(side: int, scored: bool) -> None:
    truth = _photograph(60, 80)
    region = np.zeros((60, 80), bool)
    region[20 : 20 + side, 30 : 30 + side] = True
    found = StructuralSimilarity()([truth], truth, {"region": region, "whole": np.ones_like(region)})[0]
    assert ("region" in found) is scored
    assert found["whole"] == 1
