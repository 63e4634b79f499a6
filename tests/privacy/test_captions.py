"""Which categories captions name."""

from __future__ import annotations

import pytest

from pedbench.privacy.category_names import names


@pytest.mark.parametrize(
    ("caption", "category", "expected"),
    [
        ("A man riding a wave on top of a surfboard.", "person", True),
        ("A man riding a wave on top of a surfboard.", "surfboard", True),
        ("a group of people at a dining table with wine glasses", "person", True),
        ("a group of people at a dining table with wine glasses", "wine glass", True),
        ("a group of people at a dining table with wine glasses", "dining table", True),
        ("two buses and a couple of benches", "bus", True),
        ("two buses and a couple of benches", "bench", True),
        ("a pair of scissors, skis and ties", "scissors", True),
        ("a pair of scissors, skis and ties", "skis", True),
        ("a pair of scissors, skis and ties", "tie", True),
        ("vases with flowers", "vase", True),
        ("a picture frame above a desk", "picture_frame", True),
        ("a frame with a picture", "picture_frame", False),
        ("a cellphone beside a laptop", "cell phone", True),
        ("a hot dog in a bun", "hot dog", True),
        ("a hot dog in a bun", "dog", False),
        ("a stuffed bear on a bed", "bear", False),
        ("a brown bear in the grass", "bear", True),
        ("a carpet and a catalogue", "car", False),
        ("a carpet and a catalogue", "cat", False),
        ("", "cat", False),
    ],
)
def test_a_category_is_named_by_whole_words(caption: str, category: str, expected: bool) -> None:
    assert names(caption, category) is expected
