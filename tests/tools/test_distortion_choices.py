"""Distortions whose strengths are matched are as strong as they should be, each in its own way."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from pedbench.base import Metric
from pedbench.metrics.root_mean_square_error import RootMeanSquareError
from pedbench.metrics.structural_similarity import StructuralSimilarity
from pedbench.types import Picture
from tools.studies.distortion_choices import KINDS, MISMATCH, TILE, choices, compressed, matched, swapped


@pytest.fixture(name="picture", scope="module")
def _picture() -> Picture:
    picture: Picture = (data.astronaut()[60:156, 150:278] / 255).astype(np.float32)
    return picture


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_strengths_are_matched(kind: str, picture: Picture) -> None:
    whole = {"whole": np.ones(picture.shape[:2], np.bool_)}
    pictures = [compressed(picture, 10), matched(picture, kind, 0.05)]
    jpeg, found = (each["whole"] for each in RootMeanSquareError()(pictures, picture, whole))
    assert found == pytest.approx(0.05, rel=MISMATCH)
    again = matched(picture, kind, jpeg)
    assert RootMeanSquareError()([again], picture, whole)[0]["whole"] == pytest.approx(jpeg, rel=MISMATCH)


def test_swapping_keeps_all_tiles(picture: Picture) -> None:
    def tiles(of: Picture) -> list[bytes]:
        rows, columns = of.shape[0] // TILE, of.shape[1] // TILE
        parts = of.reshape(rows, TILE, columns, TILE, 3).swapaxes(1, 2).reshape(rows * columns, -1)
        return sorted(part.tobytes() for part in parts)

    found = swapped(picture, 0.5)
    assert tiles(found) == tiles(picture)
    moved = (found != picture).any(axis=2).reshape(12, TILE, 16, TILE).any(axis=(1, 3))
    assert moved.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
def test_the_nearer_one_is_chosen(picture: Picture) -> None:
    metrics: list[Metric] = [StructuralSimilarity()]
    found = {(row["first"], row["second"]): row["SSIM"] for row in choices(picture, 10, metrics)}
    assert len(found) == 15
    assert found["noise", "brighter"] == 0
