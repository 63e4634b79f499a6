"""Counts of what goes together against closed forms."""

import numpy as np
import pytest

from pedbench.inversion.co_occurrence import count_co_occurrence


def test_categories_that_go_together_are_told() -> None:
    rng = np.random.default_rng(0)
    seen = rng.random((4000, 2)) < 0.5
    # Category 0 is hidden in eight of ten views that see category 1, and in two of the others.
    hidden = np.stack([rng.random(4000) < np.where(seen[:, 1], 0.8, 0.2), rng.random(4000) < 0.3], axis=1)
    model = count_co_occurrence(seen, hidden)
    guessed = model(np.array([[False, True], [True, False]]))
    assert model.strength == pytest.approx(1, abs=0.15)
    np.testing.assert_allclose(guessed[:, 0], [0.8, 0.2], atol=0.05)
    np.testing.assert_allclose(guessed[:, 1], 0.3, atol=0.05)


def test_evidence_that_repeats_itself_is_weakened() -> None:
    rng = np.random.default_rng(1)
    once = rng.random((4000, 1)) < 0.5
    hidden = rng.random((4000, 1)) < np.where(once, 0.7, 0.3)
    model = count_co_occurrence(np.repeat(once, 4, axis=1), np.repeat(hidden, 4, axis=1))
    # Naive Bayes counts the same evidence four times.
    assert model.strength == pytest.approx(0.25, abs=0.05)
    np.testing.assert_allclose(model(np.ones((1, 4), np.bool_)), 0.7, atol=0.05)


def test_what_does_not_go_together_leaves_the_prior() -> None:
    rng = np.random.default_rng(2)
    seen, hidden = rng.random((60, 20)) < 0.3, rng.random((60, 20)) < 0.1
    model = count_co_occurrence(seen, hidden)
    assert model.strength <= 0.1
    with pytest.raises(ValueError, match="at least 2 views, found 1"):
        count_co_occurrence(seen[:1], hidden[:1])
