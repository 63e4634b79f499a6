"""The window grid against `segment_anything`'s partition, and its pixels by counting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segment_anything.modeling.image_encoder import window_partition, window_unpartition

from pedbench.models.sam.architectures import SAM_MINI, VIT_B
from pedbench.pictures.windows import WindowGrid

grids = st.builds(
    lambda height, width, window, patch: WindowGrid(tokens=(height, width), window=window, patch=patch),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 7),
    st.integers(1, 4),
)


@settings(max_examples=60, deadline=None)
@given(grids, st.integers(1, 3), st.integers(1, 3))
def test_partition_is_that_of_segment_anything_and_invertible(
    grid: WindowGrid, batch: int, channels: int
) -> None:
    tokens = torch.arange(batch * grid.tokens[0] * grid.tokens[1] * channels, dtype=torch.float32)
    tokens = tokens.reshape(batch, *grid.tokens, channels)
    expected, padded = window_partition(tokens, grid.window)
    windows = grid.partition(tokens)
    assert padded == grid.padded
    assert torch.equal(windows, expected)
    assert torch.equal(grid.unpartition(windows), tokens)
    assert torch.equal(
        grid.unpartition(windows), window_unpartition(expected, grid.window, padded, grid.tokens)
    )
    array = grid.partition(tokens.numpy())
    np.testing.assert_array_equal(array, expected.numpy())
    np.testing.assert_array_equal(grid.unpartition(array), tokens.numpy())


@settings(max_examples=60, deadline=None)
@given(grids, st.data())
def test_tiles_cover_the_frame_once(grid: WindowGrid, data: st.DataObject) -> None:
    frame = (data.draw(st.integers(1, grid.canvas[0])), data.draw(st.integers(1, grid.canvas[1])))
    covered = np.zeros(frame, int)
    for window in grid.windows:
        tile = grid.tile(window, frame)
        covered[tile.slices] += 1
        assert (tile.area > 0) == (window in grid.active(frame))
        assert tile.area == covered[tile.slices].size
    assert (covered == 1).all()


def test_known_grids() -> None:
    assert (VIT_B.grid.rows, VIT_B.grid.columns, VIT_B.grid.padded) == (5, 5, (70, 70))
    assert (SAM_MINI.grid.rows, SAM_MINI.grid.columns, SAM_MINI.grid.padded) == (5, 5, (20, 20))
    assert len(VIT_B.grid.active((768, 1024))) == 20
    assert VIT_B.grid.inside((4, 1)) == (8, 14)
    assert VIT_B.grid.tile((3, 4), (768, 1024)) == (672, 896, 768, 1024)
    full = [window for window in VIT_B.grid.windows if VIT_B.grid.tile(window, (768, 1024)).area == 224**2]
    assert len(full) == 12


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"\(5, 0\) does not lie in the 5x5"):
        VIT_B.grid.tile((5, 0))
    with pytest.raises(ValueError, match=r"\(1025, 3\)"):
        VIT_B.grid.active((1025, 3))
    with pytest.raises(ValueError, match=r"found \(1, 3, 3, 2\)"):
        VIT_B.grid.partition(np.zeros((1, 3, 3, 2)))
    with pytest.raises(ValueError, match="positive"):
        WindowGrid(tokens=(0, 4), window=2, patch=1)
