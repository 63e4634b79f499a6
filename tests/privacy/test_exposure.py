"""Exposure against the closed form for squares in windows, and its edge cases."""

import numpy as np
import pytest

from pedbench.privacy.exposure import exposed_shares


def test_chance_that_a_square_lies_inside_one_window_has_its_closed_form() -> None:
    side, window, canvas = 7, 28, 112
    windows = []
    for row in range(canvas // window):
        for column in range(canvas // window):
            mask = np.zeros((canvas, canvas), bool)
            mask[row * window : (row + 1) * window, column * window : (column + 1) * window] = True
            windows.append(mask)
    # Every place once, and windows that wrap around: the closed form knows no border.
    exposed = []
    for top in range(window):
        squares = {}
        for left in range(window):
            square = np.zeros((canvas, canvas), bool)
            square[top : top + side, left : left + side] = True
            squares[left] = square
        exposed += [share == 1 for share in exposed_shares(squares, windows).values()]
    # Whole pixels have one place more than the continuous form.
    assert np.mean(exposed) == pytest.approx((1 - (side - 1) / window) ** 2)
    assert np.mean(exposed) == pytest.approx((1 - side / window) ** 2, abs=2 / window)


def test_random_squares_in_sam_windows() -> None:
    rng = np.random.default_rng(0)
    window, canvas = 224, 672
    visible = np.zeros((3, canvas, canvas), bool)
    for index in range(3):
        # One server with the windows of one row is wider than a window: use single ones.
        visible[index, 224:448, index * window : (index + 1) * window] = True
    for side in (32, 96):
        squares = {}
        for index, (top, left) in enumerate(rng.integers(0, window, (400, 2))):
            square = np.zeros((canvas, canvas), bool)
            square[224 + top : 224 + top + side, left : left + side] = True
            squares[index] = square
        shares = exposed_shares(squares, list(visible)).values()
        whole = np.mean([share == 1 for share in shares])
        assert whole == pytest.approx((1 - side / window) ** 2, abs=0.07)


def test_largest_share_over_coalitions_counts() -> None:
    instance = np.zeros((4, 10), bool)
    instance[0] = True
    few, most = np.zeros_like(instance), np.zeros_like(instance)
    few[0, :2] = True
    most[0, 1:] = True
    shares = exposed_shares({7: instance, 8: np.zeros_like(instance)}, [few, most])
    assert shares == {7: 0.9}


def test_bad_input_is_refused() -> None:
    mask = np.ones((2, 2), bool)
    with pytest.raises(ValueError, match="at least one coalition"):
        exposed_shares({1: mask}, [])
    with pytest.raises(ValueError, match="another size"):
        exposed_shares({1: mask}, [np.ones((3, 2), bool)])
