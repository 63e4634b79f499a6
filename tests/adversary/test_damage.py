"""Damage of coalitions, against the metrics of a guess of one colour and against pixel sums."""

import numpy as np
import numpy.typing as npt

from pedbench.adversary.damage import BLOCK, KINDS, Damages, damage_maps

COLOUR = np.array([0.3, 0.5, 0.6], np.float32)


def similarity(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """SSIM of two lists of values by its definition."""
    (of_one, both), (_, of_other) = np.cov(one, other, bias=True)
    luminance = (2 * one.mean() * other.mean() + 0.01**2) / (one.mean() ** 2 + other.mean() ** 2 + 0.01**2)
    return float(luminance * (2 * both + 0.03**2) / (of_one + of_other + 0.03**2))


def test_maps_are_the_errors_of_the_guess() -> None:
    truth = np.random.default_rng(0).random((24, 20, 3)).astype(np.float32)
    squares, dissimilarity, contrast, area = damage_maps(truth, COLOUR)
    assert (area == 1).all()
    np.testing.assert_allclose(squares, np.square(truth - COLOUR, dtype=np.float64).mean(axis=-1), rtol=1e-6)
    block = truth[4:8, 8:12].reshape(-1, 3)
    expected = np.mean([similarity(block[:, k], np.full(len(block), COLOUR[k])) for k in range(3)])
    np.testing.assert_allclose(dissimilarity[4:8, 8:12], 1 - expected, rtol=1e-6)
    np.testing.assert_allclose(contrast[4:8, 8:12], block.std(axis=0).mean(), rtol=1e-6)


def test_an_exact_guess_leaves_nothing_to_take_in_frames_of_any_size() -> None:
    truth = np.broadcast_to(COLOUR, (2 * BLOCK + 1, BLOCK + 3, 3)).astype(np.float32)
    maps = damage_maps(truth, COLOUR)
    assert maps.shape == (KINDS, *truth.shape[:2])
    np.testing.assert_allclose(maps[:3], 0, atol=1e-6)


def test_damage_is_the_sum_over_the_pixels_that_any_member_holds() -> None:
    generator = np.random.default_rng(1)
    covered, maps = generator.random((5, 9, 7)) < 0.3, generator.random((KINDS, 9, 7))
    coalitions = generator.random((20, 5)) < 0.5
    expected = [maps[:, covered[members].any(axis=0)].sum(axis=1) for members in coalitions]
    np.testing.assert_allclose(Damages(covered, maps)(coalitions), expected, atol=1e-12)
