"""Means, tails and intervals against numpy and scipy, computed the long way."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pedbench.results.statistics import (
    RESAMPLES,
    difference,
    holm,
    mean,
    quantile,
    retention,
    worst_coalition,
)


def uneven(seed: int, pictures: int = 30) -> pd.DataFrame:
    """Pictures with one to six annotations each, in a random order of rows."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 7, pictures)
    images = np.repeat([f"p{index:02d}" for index in range(pictures)], counts)
    frame = pd.DataFrame(
        {"image": images, "annotation": range(len(images)), "value": rng.beta(2, 3, len(images))}
    )
    return frame.sample(frac=1, random_state=seed)


def test_the_mean_is_over_rows_and_its_interval_over_pictures() -> None:
    values = uneven(1)
    found = mean(values)
    assert found.value == pytest.approx(np.mean(values["value"]), rel=1e-12)
    assert found.n == 30
    assert found.ci95 is not None
    # A picture is drawn with all of its rows, so its weight is drawn as well.
    rng = np.random.default_rng(5)
    groups = [group["value"].to_numpy() for _, group in values.groupby("image")]
    drawn = [
        np.concatenate([groups[index] for index in rng.integers(0, len(groups), len(groups))]).mean()
        for _ in range(4000)
    ]
    expected = np.quantile(drawn, [0.025, 0.975])
    assert np.abs(np.array(found.ci95) - expected).max() < 0.05 * (expected[1] - expected[0])
    assert mean(values) == found


def test_one_row_a_picture_is_scipys_bootstrap_of_the_mean() -> None:
    values = uneven(2).groupby("image", as_index=False).first()
    expected = stats.bootstrap(
        (values["value"].to_numpy(),),
        np.mean,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert mean(values).ci95 == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_rows_that_belong_together_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    level = rng.random(20)
    copies = pd.DataFrame({"image": np.repeat(np.arange(20).astype(str), 10), "value": np.repeat(level, 10)})
    apart = copies.assign(image=[str(index) for index in range(200)])
    (low, high), (low_apart, high_apart) = mean(copies).ci95 or (0, 0), mean(apart).ci95 or (0, 0)
    assert high - low > 2.5 * (high_apart - low_apart)


def test_one_picture_has_no_interval() -> None:
    one = pd.DataFrame({"image": ["a", "a"], "value": [0.2, 0.4]})
    assert mean(one).value == pytest.approx(0.3)
    assert (mean(one).ci95, mean(one).n) == (None, 1)
    assert quantile(one, 0.9).ci95 is None


@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_quantiles_are_over_pictures(q: float) -> None:
    values = uneven(4)
    each = [group["value"].mean() for _, group in values.groupby("image")]
    found = quantile(values, q)
    assert found.value == pytest.approx(np.percentile(each, 100 * q), rel=1e-12)
    assert found.n == 30
    assert found.ci95 is not None
    assert found.ci95[0] <= found.value <= found.ci95[1]
    assert quantile(values, q, interval=False).ci95 is None


def test_retention_compares_the_same_annotations() -> None:
    reference, values = uneven(5), uneven(5)
    values["value"] *= 0.5
    found = retention(values, reference)
    assert found.value == pytest.approx(0.5, rel=1e-12)
    # The ratio is the same whichever pictures are drawn.
    assert found.ci95 == pytest.approx((0.5, 0.5), rel=1e-9)
    part = values[values["image"] < "p10"]
    shared = reference.merge(part, on="annotation")
    assert retention(part, reference).value == pytest.approx(
        shared["value_y"].sum() / shared["value_x"].sum(), rel=1e-12
    )
    assert retention(part, reference).n == part["image"].nunique()
    with pytest.raises(ValueError, match="no annotation is in both"):
        retention(values.assign(annotation=-5), reference)
    with pytest.raises(ValueError, match="mean is 0"):
        retention(values, reference.assign(value=0.0))


@pytest.mark.parametrize(("better", "extreme"), [("higher", "min"), ("lower", "max")])
def test_the_worst_coalition_is_the_one_that_learns_most(better: str, extreme: str) -> None:
    rng = np.random.default_rng(6)
    values = pd.DataFrame(
        {
            "image": np.repeat(["a", "b", "c"], 4),
            "servers": ["0", "1", "2", "3"] * 3,
            "value": rng.random(12).round(1),
        }
    ).sample(frac=1, random_state=1)
    found = worst_coalition(values, better).set_index("image")["value"]
    expected = values.groupby("image")["value"].agg(extreme)
    assert found.to_dict() == expected.to_dict()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_holm_is_the_closed_test_with_bonferronis_correction(count: int) -> None:
    """A hypothesis is rejected if every intersection that it is part of is."""
    rng = np.random.default_rng(count)
    for _ in range(50):
        ps = rng.choice([0.001, 0.01, 0.02, 0.04, 0.3, 0.9], count).tolist()
        sets = [s for size in range(1, count + 1) for s in combinations(range(count), size)]
        expected = [
            max(min(1.0, len(s) * min(ps[member] for member in s)) for s in sets if index in s)
            for index in range(count)
        ]
        assert holm(ps) == pytest.approx(expected)


def test_differences_are_paired_and_clustered() -> None:
    values = uneven(7, 9)
    noise = np.random.default_rng(8).normal(0.05, 0.1, len(values))
    reference = values.assign(value=values["value"] - noise).sample(frac=1, random_state=2)
    found = difference(values, reference)
    assert found.value == pytest.approx(noise.mean(), rel=1e-9)
    assert found.n == 9
    gains = values.assign(value=noise).groupby("image")["value"].sum().to_numpy()
    # All 512 ways to turn the pictures' signs.
    flipped = np.array([np.dot(signs, gains) for signs in product([1, -1], repeat=9)])
    lower, upper = (flipped <= gains.sum() + 1e-12).mean(), (flipped >= gains.sum() - 1e-12).mean()
    assert found.p == pytest.approx(min(1.0, 2 * min(lower, upper)))
    # Far narrower than two means apart, as pictures differ among each other more than from the reference.
    assert found.ci95 == pytest.approx(mean(values.assign(value=noise)).ci95, rel=1e-9)
    assert difference(values, values).p == 1
    alone = values[values["image"] == values["image"].iloc[0]]
    assert difference(alone, reference).p == 1
    with pytest.raises(ValueError, match="nothing to compare"):
        difference(values, reference.assign(annotation=-5))


@pytest.mark.slow
def test_a_test_at_five_percent_is_wrong_in_about_five_of_a_hundred() -> None:
    rng = np.random.default_rng(9)
    images = [str(index) for index in range(12)]
    zero = pd.DataFrame({"image": images, "annotation": 0, "value": 0.0})
    draws = [difference(zero.assign(value=rng.standard_t(3, 12)), zero).p for _ in range(200)]
    assert 0.01 <= np.mean(np.array(draws) <= 0.05) <= 0.10
