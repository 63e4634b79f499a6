"""Training pictures are degraded as defenses degrade them, at strengths of a range."""

from __future__ import annotations

import numpy as np

from pedbench.pictures.blocks import block_means
from pedbench.registry import Registry
from pedbench.training.data.degrading import degrading


def picture() -> np.ndarray:
    return np.random.default_rng(0).random((320, 240, 3), np.float32)


def test_a_drawn_block_is_what_pixelate_sends_at_some_strength_of_the_range() -> None:
    degrade, sides = degrading("pixelate", {"block": (1 / 80, 1 / 5)}), set()
    for seed in range(12):
        degraded = degrade(picture(), np.random.default_rng(seed))
        fitting = [
            side
            for side in range(1, 81)
            if np.abs(block_means(picture(), side)[0] - degraded[::side, ::side]).max() < 1e-6
        ]
        assert fitting, seed
        sides.add(max(fitting))
    assert min(sides) >= 4
    assert max(sides) <= 64
    assert len(sides) > 8


def test_noise_comes_from_the_generator_alone() -> None:
    degrade = degrading("dp_pixelate", {"epsilon": (1, 100)})
    first, repeated, other = (degrade(picture(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, repeated)
    assert not np.array_equal(first, other)


def test_without_a_range_the_strength_is_the_default() -> None:
    expected = Registry().create("defenses", "gaussian_blur", {}).degrade(picture(), np.random.default_rng(0))
    assert np.array_equal(degrading("gaussian_blur", {})(picture(), np.random.default_rng(3)), expected)
