"""Stitching against flood fill over windows, magnification against a reader of one coloured rectangle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pedbench.base import Claim
from pedbench.privacy.pieces import magnify, pieces
from pedbench.types import Patch, Picture, Prior, View

SIDE = 4
ROWS, COLUMNS = 3, 4
FRAME = np.random.default_rng(0).random((ROWS * SIDE, COLUMNS * SIDE, 3)).astype(np.float32)
Cell = tuple[int, int]


def view(exact: set[Cell], degraded: set[Cell] = frozenset()) -> View:  # type: ignore[assignment]
    def patches(cells: set[Cell]) -> tuple[Patch, ...]:
        return tuple(
            Patch(
                picture=FRAME[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE],
                top=row * SIDE,
                left=column * SIDE,
                server=0,
            )
            for row, column in sorted(cells)
        )

    return View(
        frame_size=(FRAME.shape[0], FRAME.shape[1]),
        patches=patches(exact),
        degraded=patches(degraded),
        prior=Prior(pictures=(), mean_colour=np.zeros(3, np.float32)),
    )


def islands(cells: set[Cell]) -> Iterator[set[Cell]]:
    """Cells that hang together by edges."""
    left = set(cells)
    while left:
        island, border = set(), [left.pop()]
        while border:
            row, column = border.pop()
            island.add((row, column))
            near = {(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)} & left
            left -= near
            border += near
        yield island


def expected(cells: set[Cell]) -> list[tuple[int, int, Picture]]:
    """Each cell, then each island of several, painted pixel by pixel."""
    found = []
    groups = [{cell} for cell in sorted(cells)] + [each for each in islands(cells) if len(each) > 1]
    for group in groups:
        rows, columns = [row for row, _ in group], [column for _, column in group]
        top, left = min(rows) * SIDE, min(columns) * SIDE
        picture = np.full(((max(rows) + 1) * SIDE - top, (max(columns) + 1) * SIDE - left, 3), np.nan)
        for y in range(picture.shape[0]):
            for x in range(picture.shape[1]):
                if ((top + y) // SIDE, (left + x) // SIDE) in group:
                    picture[y, x] = FRAME[top + y, left + x]
        unseen = np.isnan(picture[..., 0])
        picture[unseen] = picture[~unseen].mean(axis=0)
        found.append((top, left, picture.astype(np.float32)))
    return found


CELLS = st.sets(st.tuples(st.integers(0, ROWS - 1), st.integers(0, COLUMNS - 1)))


@settings(deadline=None)
@given(CELLS, CELLS)
def test_tiles_are_read_alone_and_stitched(exact: set[Cell], degraded: set[Cell]) -> None:
    found = list(pieces(view(exact, degraded)))
    wanted = expected(exact) + expected(degraded)
    assert len(found) == len(wanted)
    for piece in found:
        match = [
            picture
            for top, left, picture in wanted
            if (top, left, picture.shape) == (piece.top, piece.left, piece.picture.shape)
        ]
        assert any(np.allclose(piece.picture, picture, atol=1e-6) for picture in match)


@pytest.mark.parametrize("factor", [1.0, 3.0, 2.5])
def test_claims_about_a_magnified_picture_come_back_to_their_place(factor: float) -> None:
    picture = np.zeros((31, 64, 3), np.float32)
    picture[10:19, 20:47] = 1
    large = magnify(picture, factor)
    rows, columns = np.nonzero(large.picture[..., 0] > 0.5)
    box = (columns.min(), rows.min(), columns.max() + 1 - columns.min(), rows.max() + 1 - rows.min())
    back = large.back(Claim(kind="face", content="", box=tuple(map(float, box)), confidence=1.0))  # type: ignore[arg-type]
    assert back.box == pytest.approx((20, 10, 27, 9), abs=0.5)
