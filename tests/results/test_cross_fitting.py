"""Cross-fitting against loops, and against a selection that is known to be lucky."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.results.cross_fitting import cross_fit, cross_fitted_difference


def frame(numbers: Any) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"attack": f"attack {row}", "image": f"image {column}", "value": value}
            for row, line in enumerate(numbers)
            for column, value in enumerate(line)
            if not np.isnan(value)
        ]
    )


def by_loops(numbers: Any) -> tuple[float, set[int]]:
    order = sorted(range(len(numbers[0])), key=lambda i: hashlib.sha256(f"image {i}".encode()).hexdigest())
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    total, selected = 0.0, set()
    for mine, other in (halves, halves[::-1]):
        best = max(range(len(numbers)), key=lambda a: sum(numbers[a][i] for i in mine) / len(mine))
        selected.add(best)
        total += sum(numbers[best][i] for i in other)
    return total / len(order), selected


@pytest.mark.parametrize("pictures", [2, 3, 8, 25])
def test_each_half_is_reported_with_the_attack_that_the_other_half_selects(pictures: int) -> None:
    numbers = np.random.default_rng(pictures).normal(size=(4, pictures))
    found = cross_fit(frame(numbers))
    assert found
    value, selected = by_loops(numbers)
    assert found.estimate.value == pytest.approx(value, rel=1e-12)
    assert set(found.attacks) == {f"attack {row}" for row in selected}
    assert found.estimate.n == pictures


def test_luck_on_the_evaluated_pictures_gains_nothing() -> None:
    """Many attacks of pure noise: the best mean lies far above 0, the cross-fitted one does not."""
    rng = np.random.default_rng(0)
    best, fitted = [], []
    for _ in range(40):
        numbers = rng.normal(size=(50, 24))
        best.append(numbers.mean(axis=1).max())
        found = cross_fit(frame(numbers))
        assert found
        fitted.append(found.estimate.value)
    assert np.mean(best) > 0.4
    assert abs(np.mean(fitted)) < 0.1


def test_an_attack_that_did_not_guess_every_picture_is_no_candidate() -> None:
    numbers = np.zeros((2, 6))
    numbers[1] = 1
    numbers[1, 3] = np.nan
    found = cross_fit(frame(numbers))
    assert found
    assert found.attacks == ("attack 0",)
    assert found.estimate.value == 0


def test_the_interval_covers_the_selection() -> None:
    """Two attacks that are equally strong: each draw may select another, and the interval is that of both."""
    numbers = np.random.default_rng(1).normal(size=(2, 24))
    found = cross_fit(frame(numbers))
    assert found
    assert found.estimate.ci95
    low, high = found.estimate.ci95
    assert low < found.estimate.value < high
    assert high - low == pytest.approx(4 / np.sqrt(24), rel=0.4)


def test_one_picture_has_no_halves_and_three_have_no_interval() -> None:
    found = cross_fit(frame(np.array([[0.1], [0.9], [0.5]])))
    assert found
    assert (found.attacks, found.estimate.value, found.estimate.ci95) == (("attack 1",), 0.9, None)
    three = cross_fit(frame(np.random.default_rng(2).normal(size=(3, 3))))
    assert three
    assert three.estimate.ci95 is None


def test_a_difference_is_that_of_two_cross_fitted_means_on_common_pictures() -> None:
    one, other = np.random.default_rng(3).normal(size=(2, 3, 12))
    found = cross_fitted_difference(frame(one), frame(other[:, :8]))
    assert found
    assert found.n == 8
    assert found.value == pytest.approx(by_loops(one[:, :8])[0] - by_loops(other[:, :8])[0], rel=1e-9)
    itself = cross_fitted_difference(frame(one), frame(one))
    assert itself
    # Both means are of the same draws of pictures.
    assert (itself.value, itself.ci95, itself.p) == (0, (0, 0), 1)
    with_shift = cross_fitted_difference(frame(one + 0.5), frame(one))
    assert with_shift
    assert with_shift.ci95 == pytest.approx((0.5, 0.5))
