"""Ids of pictures that can be read."""

from __future__ import annotations

import pytest

from pedbench.data.readable import ReadableIds
from pedbench.pictures.files import PictureError


def test_only_as_many_pictures_are_tried_as_are_asked_for() -> None:
    tried: list[str] = []

    def read(id: str) -> None:
        tried.append(id)
        if id in "bd":
            raise PictureError(f"{id} is broken")

    ids = ReadableIds("abcdefg", read)
    assert ids[:2] == ["a", "c"]
    assert "".join(tried) == "abc"
    assert ids.left_out == {"b": "b is broken"}
    assert ids[2] == "e"
    assert "".join(tried) == "abcde"
    assert ids[-1] == "g"
    assert list(ids) == ["a", "c", "e", "f", "g"]
    assert len(ids) == 5
    assert ids[::-1] == ["g", "f", "e", "c", "a"]
    assert "".join(tried) == "abcdefg"
    assert ids.left_out == {"b": "b is broken", "d": "d is broken"}
    with pytest.raises(IndexError):
        ids[5]
