"""Distortions whose labels a network learns: a higher strength changes a crop more."""

from __future__ import annotations

import numpy as np
import pytest

from pedbench.training.data.distortions import KINDS, STRENGTHS
from pedbench.training.data.object_crops import draw_crops
from pedbench.training.data.packing import PackedScenes


@pytest.mark.parametrize("kind", KINDS)
def test_error_grows_with_the_strength(kind: str, scenes: PackedScenes) -> None:
    crops, _ = draw_crops(scenes, side=64, count=24, rng=np.random.default_rng(0))
    distort, strengths = KINDS[kind]
    errors = []
    for strength in strengths:
        rng = np.random.default_rng(1)
        changed = np.stack([distort(crop, strength, rng) for crop in crops])
        assert changed.shape == crops.shape
        assert changed.min() >= 0
        assert changed.max() <= 255
        errors.append(np.square(changed - crops).mean())
    assert len(errors) == STRENGTHS
    assert (np.diff([0, *errors]) > 0).all(), errors
