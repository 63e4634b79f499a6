"""Orientations against Pillow's transpositions, and the content of scrambled pictures."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pedbench.pictures.blocks import block_side, blocks, orient, orientations, scramble
from pedbench.pictures.frame import from_uint8, to_uint8

TURNED = Image.Transpose
PILLOW = {1: TURNED.ROTATE_90, 2: TURNED.ROTATE_180, 3: TURNED.ROTATE_270, 4: TURNED.FLIP_LEFT_RIGHT,
          6: TURNED.FLIP_TOP_BOTTOM}  # fmt: skip


def _noise(height: int, width: int) -> np.ndarray:
    return (np.random.default_rng(0).integers(0, 256, (height, width, 3)) / 255).astype(np.float32)


@pytest.mark.parametrize("orientation", PILLOW)
def test_orientations_are_pillows(orientation: int) -> None:
    piece = to_uint8(_noise(3, 5))
    expected = np.asarray(Image.fromarray(piece).transpose(PILLOW[orientation]))
    assert np.array_equal(to_uint8(orient(from_uint8(piece), orientation)), expected)


def test_orientations_of_a_square_are_its_symmetries() -> None:
    piece = _noise(4, 4)
    found = {orient(piece, orientation).tobytes() for orientation in orientations((4, 4), mirror=True)}
    assert len(found) == 8
    assert orientations((4, 6), mirror=False) == (0, 2)
    assert orientations((4, 6), mirror=True) == (0, 2, 4, 6)


@given(
    frame=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    side=st.integers(1, 24),
    mirror=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_blocks_keep_their_pixels(frame: tuple[int, int], side: int, mirror: bool, seed: int) -> None:
    picture = _noise(*frame)
    scrambled = scramble(picture, side, mirror, np.random.default_rng(seed))
    assert scrambled.shape == picture.shape
    assert sum(tile.area for tile in blocks(frame, side)) == frame[0] * frame[1]

    def contents(content: np.ndarray) -> Counter[tuple[float, ...]]:
        # Sorted pixels of a block do not depend on its orientation.
        return Counter(tuple(np.sort(content[tile.slices], axis=None)) for tile in blocks(frame, side))

    assert contents(scrambled) == contents(picture)
    if side >= max(frame):
        assert np.array_equal(scrambled, picture)


def test_every_place_and_orientation_is_as_likely() -> None:
    picture = _noise(4, 6)
    rng = np.random.default_rng(0)
    found = Counter(scramble(picture, 2, True, rng)[:2, :2].tobytes() for _ in range(4800))
    assert len(found) == 6 * 8
    # Standard deviation of each count is 9.9.
    assert min(found.values()) > 55
    assert max(found.values()) < 145


def test_side_of_a_block_is_relative_to_the_longest_side() -> None:
    assert block_side((240, 320), 0.125) == 40
    assert block_side((240, 320), 0.001) == 1
