"""Each rule of codecs catches the codec that breaks it, and those in the tree keep them all."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pedbench.base import Codec
from pedbench.checks.codecs import check_codec
from pedbench.codecs.bfloat16 import Bfloat16
from pedbench.codecs.jpeg import Jpeg
from pedbench.codecs.png import Png
from pedbench.offload.wire.codec_labels import find_codec
from pedbench.registry import Registry

Array = npt.NDArray[Any]


class Doubles(Bfloat16):
    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        return super().decode(data, shape).astype(np.float64)


class Flat(Png):
    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        return super().decode(data, shape).ravel()


class Rings(Jpeg):
    """Leaves something where the frame has ended."""

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        return super().decode(data, shape) | np.uint8(1)


class SaysExact(Bfloat16):
    exact = True


class SaysLossy(Png):
    exact = False


class Salted(Png):
    def encode(self, array: Array) -> bytes:
        return super().encode(array) + os.urandom(8)


class Moody(Png):
    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        return super().decode(data, shape) ^ np.uint8(os.urandom(1)[0] | 1)


class Scribbles(Png):
    def encode(self, array: Array) -> bytes:
        data = super().encode(array)
        array //= 2
        return data


class Patient(Bfloat16):
    """Takes what is missing for zeros."""

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        if len(data) > 2 * math.prod(shape):
            raise ValueError("too long")
        return super().decode(data.ljust(2 * math.prod(shape), b"\0"), shape)


class Generous(Bfloat16):
    """Takes what is there and leaves the rest."""

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        return super().decode(data[: 2 * math.prod(shape)], shape)


class Crashes(Bfloat16):
    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        if data[:2] == b"\xff\xff":
            raise IndexError("no such table")
        return super().decode(data, shape)


class Infinite(Bfloat16):
    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)


class Hungry(Bfloat16):
    """Makes room for what it was told before it looks at what came."""

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        np.empty(min(math.prod(shape), 2**25), np.uint8)
        return super().decode(data, shape)


BROKEN: dict[type[Codec], tuple[str, str]] = {
    Doubles: ("features come back", "expected a float32 array of shape (1, 20, 20, 32), found float64"),
    Flat: ("a frame come back", "expected a uint8 array of shape (48, 80, 3), found uint8 (11520,)"),
    Rings: ("what lies beyond the frame is zero again", "come back as something else"),
    SaysExact: ("declared loss: exact = True", "an array came back other than it was"),
    SaysLossy: ("declared loss: exact = False", "pixels would count as hidden"),
    Salted: ("the same bytes twice", "two different messages"),
    Moody: ("the same bytes twice", "two different arrays"),
    Scribbles: ("arrays are left as they are", "wrote into the array"),
    Patient: ("truncated bytes are refused", "the first 0 of 4608 bytes are taken for an array"),
    Generous: ("bytes of another array are refused", "taken for an array of (3, 4, 4, 48)"),
    Crashes: (
        "damaged bytes are refused or read",
        "4 bytes from 0 on set to 255: expected a ValueError, found IndexError: no such table",
    ),
    Infinite: ("damaged bytes are refused or read", "2 values are not finite"),
    Hungry: ("huge shapes are refused at no cost", "bytes are allocated for shape (3, 1048576, 1048576, 48)"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_codec_is_told_so(kind: type[Codec]) -> None:
    rule, why = BROKEN[kind]
    problems = {found.rule: found.problem for found in check_codec(kind()) if found.problem}
    assert why in problems[rule], problems


@pytest.mark.parametrize("name", Registry().origins("codecs"))
def test_codecs_in_the_tree_keep_the_rules(name: str) -> None:
    assert [found for found in check_codec(find_codec(name)) if found.problem or found.skipped] == []
