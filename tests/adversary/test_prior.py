"""The prior of a training split."""

from pathlib import Path

import numpy as np
import pytest

from pedbench.adversary.prior import load_prior, make_prior


def test_keeps_the_first_pictures_and_the_mean_of_all(tmp_path: Path) -> None:
    pictures = [np.full((40, 60, 3), level, np.float32) for level in (0.2, 0.4, 0.9)]
    make_prior(pictures, tmp_path, source="greys", count=3)
    made = make_prior(pictures, tmp_path, source="greys", count=2, side=30)
    read = load_prior(tmp_path)
    assert read.mean_colour == pytest.approx([0.5] * 3, abs=1e-5)
    assert [picture.shape for picture in read.pictures] == [(20, 30, 3)] * 2
    assert [picture.mean() for picture in read.pictures] == pytest.approx([0.2, 0.4], abs=0.01)
    assert all(np.array_equal(*pair) for pair in zip(made.pictures, read.pictures, strict=True))
    assert not (tmp_path / "02.webp").exists()


def test_missing_and_too_small_priors_say_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found 1"):
        make_prior([np.zeros((4, 4, 3), np.float32)], tmp_path, source="one", count=2)
    with pytest.raises(FileNotFoundError, match="pedbench train prior"):
        load_prior(tmp_path / "nowhere")
