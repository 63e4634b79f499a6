"""Pictures in a file are those that were put there, and the file has no name."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pedbench.measure.stored_pictures import StoredPictures


def test_pictures_come_back_as_they_were_whoever_asks() -> None:
    rng = np.random.default_rng(0)
    pictures = {number: rng.random((7 + number, 5, 3), np.float32) for number in range(20)}
    # A view that is not contiguous, as slices and transposed arrays are.
    pictures[20] = rng.random((3, 6, 8), np.float32).transpose(1, 2, 0)
    stored: StoredPictures[int] = StoredPictures()
    stored.update(pictures)
    stored[3] = pictures[3] = np.zeros((2, 2, 3), np.float32)
    del stored[4], pictures[4]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(stored.__getitem__, list(stored) * 5))
    assert list(stored) == list(pictures)
    for picture, expected in zip(found, list(pictures.values()) * 5, strict=True):
        np.testing.assert_array_equal(picture, expected)
    assert 4 not in stored
    with pytest.raises(KeyError):
        stored[4]


def test_what_was_looked_at_can_be_changed_without_harm() -> None:
    stored: StoredPictures[str] = StoredPictures()
    stored["a"] = np.ones((2, 2, 3), np.float32)
    stored["a"][:] = 0
    assert stored["a"].min() == 1


def test_nothing_is_left_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stored: StoredPictures[str] = StoredPictures()
    stored["a"] = np.ones((2, 2, 3), np.float32)
    assert os.listdir(tmp_path) == []
