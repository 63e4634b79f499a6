import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import block_reduce

from pedbench.plugins.defenses.gaussian_blur import GaussianBlur
from pedbench.plugins.defenses.pixelate import Pixelate, pixelate


@given(height=st.integers(1, 20), width=st.integers(1, 20), side=st.integers(1, 25))
def test_blocks_hold_their_mean(height: int, width: int, side: int) -> None:
    frame = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
    found = pixelate(frame, side)
    assert found.shape == frame.shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            block = np.s_[top : top + side, left : left + side]
            assert np.allclose(found[block], frame[block].mean(axis=(0, 1)), atol=1e-6)


def test_whole_blocks_are_those_of_skimage() -> None:
    frame = np.random.default_rng(0).random((24, 16, 3), dtype=np.float32)
    assert np.allclose(pixelate(frame, 8)[::8, ::8], block_reduce(frame, (8, 8, 1), np.mean), atol=1e-6)


def test_strengths_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="sigma"):
        GaussianBlur(sigma=0)
    with pytest.raises(ValueError, match="block"):
        Pixelate(block=1.5)
