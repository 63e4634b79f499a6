"""The rules of codecs, checked on arrays like those of messages and on bytes that are none."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.base import Codec
from pedbench.checks.rule import BrokenRule, Outcome, outcome
from pedbench.checks.samples import made_up_picture
from pedbench.pictures.frame import to_uint8

Array = npt.NDArray[Any]

TAKES = ("uint8", "float32")

_DAMAGED = 400
"""How many bytes from the first on are overwritten in turn: in all formats the header is among them."""

_ROOM = 8 * 2**20
"""Bytes that a codec may allocate before it finds that an array of terabytes is not in what it was given."""


def check_codec(codec: Codec) -> Iterator[Outcome]:
    """Check a codec on arrays of the dtype that it takes."""
    declared = outcome("declared dtype", lambda: _check_takes(codec))
    yield declared
    if declared.problem:
        return
    arrays = made_up_arrays(codec)
    for name, array in arrays.items():
        yield outcome(f"{name} come back", partial(_check_round, codec, array))
    array = next(iter(arrays.values()))
    if codec.takes == "uint8":
        yield outcome("what lies beyond the frame is zero again", lambda: _check_beyond(codec, array))
    yield outcome(f"declared loss: exact = {codec.exact}", lambda: _check_exact(codec, [*arrays.values()]))
    yield outcome("the same bytes twice", lambda: _check_determinism(codec, array))
    yield outcome("arrays are left as they are", lambda: _check_unchanged(codec, array))
    yield outcome("truncated bytes are refused", lambda: _check_truncated(codec, array))
    yield outcome("bytes of another array are refused", lambda: _check_others(codec, array))
    yield outcome("damaged bytes are refused or read", lambda: _check_damaged(codec, array))
    yield outcome("huge shapes are refused at no cost", lambda: _check_huge(codec, array))


def made_up_arrays(codec: Codec) -> dict[str, Array]:
    """Arrays in the shapes of messages, by what they are: windows or frames of pixels, or tokens."""
    rng = np.random.default_rng(0)
    if codec.takes == "uint8":
        sizes = {"windows": (3, 64, 64), "a frame": (48, 80), "a frame of one column": (40, 1)}
        pictures = {name: made_up_picture(rng, (size[-2], size[-1])) for name, size in sizes.items()}
        pixels = {name: to_uint8(picture) for name, picture in pictures.items()}
        found = {name: np.tile(pixels[name], (*size[:-2], 1, 1, 1)) for name, size in sizes.items()}
        found = {name: array.reshape(*sizes[name], 3) for name, array in found.items()}
        found["windows"][-1] = found["windows"][-1][::-1]
        found["a black frame"] = np.zeros((32, 32, 3), np.uint8)
        return found
    shapes = {"tokens of windows": (3, 4, 4, 48), "features": (1, 20, 20, 32), "a token": (1, 48)}
    scales = np.geomspace(0.01, 100, 48)
    values = {name: rng.normal(size=shape) * scales[: shape[-1]] for name, shape in shapes.items()}
    return {name: array.astype(np.float32) for name, array in values.items()} | {
        "tokens of one value": np.full((5, 8), 0.3, np.float32),
        "tokens of zeros": np.zeros((5, 8), np.float32),
    }


def _check_takes(codec: Codec) -> None:
    if codec.takes not in TAKES:
        raise BrokenRule(f"`takes` is one of {', '.join(TAKES)}; found {codec.takes!r}")


def _decoded(codec: Codec, data: bytes, shape: tuple[int, ...]) -> Array:
    """Decode bytes by a codec, and refuse arrays of another kind."""
    array = codec.decode(data, shape)
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != codec.takes:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise BrokenRule(f"expected a {codec.takes} array of shape {shape}, found {found}")
    if not np.isfinite(array).all():
        raise BrokenRule(f"{np.count_nonzero(~np.isfinite(array))} values are not finite")
    return array


def _encoded(codec: Codec, array: Array) -> bytes:
    data = codec.encode(array)
    if not isinstance(data, bytes):
        raise BrokenRule(f"`encode` returns bytes, found {type(data).__name__}")
    return data


def _check_round(codec: Codec, array: Array) -> None:
    _decoded(codec, _encoded(codec, array), array.shape)


def _check_beyond(codec: Codec, array: Array) -> None:
    cut = array.copy()
    cut[-1, 20:] = 0
    cut[-1, :, 50:] = 0
    left = _decoded(codec, codec.encode(cut), cut.shape)
    if left[-1, 20:].any() or left[-1, :, 50:].any():
        raise BrokenRule("zeros below or right of a tile's content come back as something else")


def _check_exact(codec: Codec, arrays: list[Array]) -> None:
    same = [np.array_equal(_decoded(codec, codec.encode(array), array.shape), array) for array in arrays]
    if codec.exact and not all(same):
        raise BrokenRule("`exact` is True, but an array came back other than it was")
    if not codec.exact and all(same):
        raise BrokenRule(
            "`exact` is False, but all arrays came back as they were: pixels would count as hidden"
        )


def _check_determinism(codec: Codec, array: Array) -> None:
    data = codec.encode(array)
    if codec.encode(array.copy()) != data:
        raise BrokenRule("the same array gave two different messages")
    if not np.array_equal(codec.decode(data, array.shape), codec.decode(data, array.shape)):
        raise BrokenRule("the same bytes gave two different arrays")


def _check_unchanged(codec: Codec, array: Array) -> None:
    given = array.copy()
    codec.encode(given)
    if not np.array_equal(given, array):
        raise BrokenRule("the codec wrote into the array: copy it before changing it")


def _refuses(codec: Codec, data: bytes, shape: tuple[int, ...], what: str) -> bool:
    """Whether bytes are refused as they should be, by a ValueError."""
    try:
        _decoded(codec, data, shape)
    except ValueError:
        return True
    except BrokenRule as broken:
        raise BrokenRule(f"{what}: {broken}") from broken
    # Whatever else comes out would end the server or the edge.
    except Exception as error:
        raise BrokenRule(f"{what}: expected a ValueError, found {type(error).__name__}: {error}") from error
    return False


def _check_truncated(codec: Codec, array: Array) -> None:
    data = codec.encode(array)
    for kept in (0, 1, len(data) // 4, len(data) // 2):
        if not _refuses(codec, data[:kept], array.shape, f"the first {kept} of {len(data)} bytes"):
            raise BrokenRule(f"the first {kept} of {len(data)} bytes are taken for an array")


def _check_others(codec: Codec, array: Array) -> None:
    data = codec.encode(array)
    larger = (*array.shape[:-2], array.shape[-2] + 1, array.shape[-1])
    noise = np.random.default_rng(0).bytes(len(data) + 1)
    for other, shape, what in (
        (data, larger, f"an array of {array.shape}, asked for as {larger}"),
        (codec.encode(np.zeros(larger, array.dtype)), array.shape, f"an array of {larger}"),
        (noise, array.shape, f"{len(noise)} random bytes"),
    ):
        if not _refuses(codec, other, shape, what):
            raise BrokenRule(f"{what}: taken for an array of {shape}")


def _check_damaged(codec: Codec, array: Array) -> None:
    """Damage inside cannot always be told, but it must not come out as anything but an array or a ValueError."""
    data = codec.encode(array)
    for place, run, value in product(range(min(_DAMAGED, len(data))), (1, 4), (0x00, 0x7F, 0x80, 0xFF)):
        damaged = data[:place] + bytes([value] * run) + data[place + run :]
        _refuses(codec, damaged[: len(data)], array.shape, f"{run} bytes from {place} on set to {value}")
    noise = np.random.default_rng(0).bytes(len(data))
    _refuses(codec, noise, array.shape, f"{len(noise)} random bytes")


def _check_huge(codec: Codec, array: Array) -> None:
    data = codec.encode(array)
    shape = (*array.shape[:-3], 2**20, 2**20, array.shape[-1])
    tracemalloc.start()
    try:
        refused = _refuses(codec, data, shape, f"shape {shape}")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if not refused:
        raise BrokenRule(f"{len(data)} bytes are taken for an array of {shape}")
    if peak > _ROOM + 8 * len(data):
        raise BrokenRule(f"{peak} bytes are allocated for shape {shape} before {len(data)} bytes are refused")
