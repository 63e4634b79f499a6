"""Claims against the truth: edit distances by torchmetrics, boxes by counting pixels."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pedbench.base import Claim
from pedbench.privacy.claims import character_error_rate, held_against, overlap, planted
from pedbench.types import Instance, Sample, Secret

CONTENTS: tuple[tuple[Literal["face", "text"], str], ...] = (("face", "somebody"), ("text", "Word"))
TEXT = st.text("abcdef0123", min_size=1, max_size=12)
BOX = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 12)] * 2)


@settings(deadline=None)
@given(TEXT | st.just(""), TEXT)
def test_character_error_rate_is_torchmetrics(claimed: str, true: str) -> None:
    from torchmetrics.functional.text import char_error_rate

    expected = min(1.0, float(char_error_rate([claimed], [true])))
    assert character_error_rate(claimed, true) == pytest.approx(expected)
    assert character_error_rate(f"_{claimed.upper()}- .", true) == character_error_rate(claimed, true)


def test_nothing_can_be_read_of_a_word_without_letters() -> None:
    with pytest.raises(ValueError, match=r"'--' holds no letter and no digit"):
        character_error_rate("a", "--")


@settings(deadline=None)
@given(BOX, BOX)
def test_overlap_counts_shared_pixels(first: Any, second: Any) -> None:
    masks = np.zeros((2, 24, 24), np.bool_)
    for mask, (x, y, width, height) in zip(masks, (first, second), strict=True):
        mask[y : y + height, x : x + width] = True
    assert overlap(first, second) == pytest.approx((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())


def test_secrets_are_carried_to_the_frame_and_keep_their_numbers() -> None:
    secrets = tuple(Secret(kind=kind, content=content, box=(100, 50, 40, 20)) for kind, content in CONTENTS)
    sample = Sample(id="a", image=np.zeros((480, 640, 3), np.float32), secrets=secrets)
    found = planted(sample, "text", (240, 320))
    assert {number: (secret.content, secret.box) for number, secret in found.items()} == {
        1: ("Word", (50.0, 25.0, 20.0, 10.0))
    }


def claim(kind: Any, content: str, box: tuple[float, float, float, float]) -> Claim:
    return Claim(kind=kind, content=content, box=box, confidence=1.0)


def test_a_word_is_read_where_it_stands() -> None:
    secret = Secret(kind="text", content="Window", box=(10, 10, 40, 10))
    there, elsewhere = (45.0, 12.0, 30.0, 10.0), (51.0, 10.0, 40.0, 10.0)

    def found(*claims: Claim) -> tuple[Any, Any]:
        values = held_against(secret, claims)
        return values["words read"], values["character error rate"]

    assert found() == (0, 1)
    assert found(claim("text", "WINDOW!", there)) == (1, 0)
    assert found(claim("text", "window", elsewhere)) == (0, 1)
    assert found(claim("face", "window", there)) == (0, 1)
    assert found(claim("text", "zz", there), claim("text", "w1nd0w", there)) == (0, pytest.approx(2 / 6))


@pytest.mark.parametrize(("shift", "expected"), [(0, 1), (10, 1), (11, 0), (40, 0)])
def test_a_face_is_found_at_an_intersection_over_union_of_three_tenths(shift: float, expected: float) -> None:
    # Squares of 20 px, shifted by 10: 200 of 600 square pixels are shared; by 11: 180 of 620.
    secret = Secret(kind="face", content="somebody", box=(20, 20, 20, 20))
    claims = [claim("face", "", (20 + shift, 20, 20, 20)), claim("text", "", secret.box)]
    assert held_against(secret, claims) == {"faces found": expected}


def test_objects_are_instances_of_a_size_that_is_no_crowd() -> None:
    def instance(number: int, area: float, crowd: bool = False) -> Instance:
        mask = np.zeros((480, 640), np.bool_)
        mask[100:140, 200:260] = mask[120:150, 220:240] = True
        return Instance(id=10 + number, category="picture_frame", mask=mask, area=area, crowd=crowd)

    instances = (instance(0, 1023), instance(1, 1024), instance(2, 5000, crowd=True))
    sample = Sample(id="a", image=np.zeros((480, 640, 3), np.float32), instances=instances)
    found = planted(sample, "object", (240, 320))
    assert {number: (secret.content, secret.box) for number, secret in found.items()} == {
        1: ("picture_frame", (100.0, 50.0, 30.0, 25.0))
    }
    assert planted(sample, "face", (240, 320)) == {}


@pytest.mark.parametrize(
    ("category", "shift", "expected"),
    [("cup", 10, 1), ("cup", 11, 0), ("bowl", 0, 0), ("CUP", 0, 1), ("_cup", 0, 1)],
)
def test_an_object_is_found_where_it_is_and_as_what_it_is(
    category: str, shift: float, expected: float
) -> None:
    secret = Secret(kind="object", content="cup", box=(20, 20, 20, 20))
    claims = [claim("object", category, (20 + shift, 20, 20, 20)), claim("face", "cup", secret.box)]
    assert held_against(secret, claims) == {"objects found": expected}
