"""Scores of guessed categories against independent computations, and what counts as hidden."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pedbench.privacy.hidden_categories import (
    average_precision,
    bits_over_prior,
    hidden_categories,
    mean_average_precision,
)
from pedbench.types import Instance

NAMES = ("mug", "book", "lamp")


def _square(category: str, left: int, *, crowd: bool = False, side: int = 40) -> Instance:
    mask = np.zeros((100, 200), np.bool_)
    mask[10 : 10 + side, left : left + side] = True
    return Instance(id=left, category=category, mask=mask, area=float(mask.sum()), crowd=crowd)


def test_an_object_is_hidden_if_at_most_a_tenth_is_seen() -> None:
    visible = np.zeros((100, 200), np.bool_)
    visible[:, :64] = True
    instances = [_square("mug", 60), _square("book", 59), _square("lamp", 0)]
    assert hidden_categories(instances, visible, NAMES).tolist() == [True, False, False]
    small, crowd = _square("book", 150, side=31), _square("lamp", 150, crowd=True)
    assert not hidden_categories([small, crowd], visible, NAMES).any()


def test_visible_pixels_are_scaled_to_the_picture() -> None:
    visible = np.zeros((50, 100), np.bool_)
    visible[:, :50] = True
    present = hidden_categories([_square("mug", 100), _square("book", 60)], visible, NAMES)
    assert present.tolist() == [True, False, False]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6))
def test_average_precision_is_the_area_under_all_thresholds(views: list[tuple[int, bool]]) -> None:
    scores, present = np.array([score for score, _ in views], np.float64), np.array([p for _, p in views])
    found = average_precision(scores, present)
    if not present.any():
        assert np.isnan(found)
        return
    area, reached = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = [flag for score, flag in views if score >= threshold]
        recall = sum(chosen) / present.sum()
        area += (recall - reached) * sum(chosen) / len(chosen)
        reached = recall
    assert found == pytest.approx(area)


def test_without_ties_it_is_the_mean_precision_at_each_hit() -> None:
    for present in itertools.product((False, True), repeat=4):
        if any(present):
            precisions = [sum(present[: k + 1]) / (k + 1) for k in range(4) if present[k]]
            found = average_precision(np.array([4.0, 3, 2, 1]), np.array(present))
            assert found == pytest.approx(np.mean(precisions))


def test_categories_that_are_never_hidden_do_not_count() -> None:
    present = np.array([[True, False], [False, False]])
    assert mean_average_precision(np.array([[0.9, 0.9], [0.1, 0.1]]), present) == 1
    assert np.isnan(mean_average_precision(np.zeros((2, 1)), np.zeros((2, 1), np.bool_)))


def test_expected_bits_are_the_divergence_of_the_truth_from_the_prior() -> None:
    truth, prior = 0.8, 0.3
    present = np.array([[True], [False]])
    bits = bits_over_prior(np.full((2, 1), truth), np.array([prior]), present)
    divergence = truth * np.log2(truth / prior) + (1 - truth) * np.log2((1 - truth) / (1 - prior))
    assert bits @ [truth, 1 - truth] == pytest.approx(divergence)
