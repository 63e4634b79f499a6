"""Each rule of codecs detects a codec that breaks it, and the shipped codecs keep all rules."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
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
    """Decodes padding beyond the frame as values that are not zero."""

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        return super().decode(data, shape) | np.uint8(1)


class SaysExact(Bfloat16):
    exact = True


class SaysLossy(Png):
    exact = False


class FirstRows(Bfloat16):
    def parts(self, data: bytes, shape: tuple[int, ...]) -> Iterator[Array]:
        yield next(super().parts(data, shape))


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
    """Decodes truncated bytes by appending zeros."""

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        if len(data) > 2 * math.prod(shape):
            raise ValueError("too long")
        return super().decode(data.ljust(2 * math.prod(shape), b"\0"), shape)


class Generous(Bfloat16):
    """Ignores bytes after the array."""

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
    """Allocates the declared shape before it looks at the bytes."""

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Array:
        np.empty(min(math.prod(shape), 2**25), np.uint8)
        return super().decode(data, shape)


BROKEN: dict[type[Codec], tuple[str, str]] = {
    Doubles: ("round trip of features", "expected a float32 array of shape (1, 20, 20, 32), found float64"),
    Flat: ("round trip of a frame", "expected a uint8 array of shape (48, 80, 3), found uint8 (11520,)"),
    Rings: ("pixels beyond the frame stay zero", "are decoded as other values"),
    SaysExact: ("declared loss: exact = True", "a decoded array differs from the encoded one"),
    SaysLossy: ("declared loss: exact = False", "pixels would count as hidden"),
    FirstRows: ("parts are the rows of the array", "gives other rows than `decode`"),
    Salted: ("the codec is deterministic", "two different messages"),
    Moody: ("the codec is deterministic", "two different arrays"),
    Scribbles: ("arrays stay unchanged", "wrote into its input"),
    Patient: ("truncated bytes are refused", "the first 0 of 4608 bytes are decoded as an array"),
    Generous: ("bytes of a different array are refused", "are decoded as an array of (3, 4, 4, 48)"),
    Crashes: (
        "damaged bytes are refused or decoded",
        "4 bytes from 0 on set to 255: expected a ValueError, found IndexError: no such table",
    ),
    Infinite: ("damaged bytes are refused or decoded", "2 values are not finite"),
    Hungry: (
        "huge shapes are refused without allocation",
        "bytes are allocated for shape (3, 1048576, 1048576, 48)",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_codec_is_detected(kind: type[Codec]) -> None:
    rule, problem = BROKEN[kind]
    problems = {found.rule: found.problem for found in check_codec(kind()) if found.problem}
    assert problem in problems[rule], problems


@pytest.mark.slow
@pytest.mark.parametrize("name", Registry().origins("codecs"))
def test_codecs_in_the_tree_keep_the_rules(name: str) -> None:
    assert [found for found in check_codec(find_codec(name)) if found.problem or found.skipped] == []
