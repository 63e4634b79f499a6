"""Rules of codecs, checked on arrays like those of messages and on invalid bytes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from functools import partial
from itertools import product

import numpy as np

from pedbench.base import Codec
from pedbench.checks.rule import Array, BrokenRule, Outcome, expect_array, expect_unchanged, outcome
from pedbench.checks.samples import made_up_picture
from pedbench.pictures.frame import to_uint8

TAKES = ("uint8", "float32")

_DAMAGED_BYTES = 400
"""Number of bytes, from the first on, that are overwritten in turn; the header of every format is shorter."""

_MAX_ALLOCATION = 8 * 2**20
"""Bytes that a codec may allocate before it refuses data that claims to be an array of terabytes."""


def check_codec(codec: Codec) -> Iterator[Outcome]:
    """Check a codec on arrays of the dtype that it encodes."""
    declared = outcome("declared dtype", lambda: _check_takes(codec))
    yield declared
    if declared.problem:
        return
    arrays = made_up_arrays(codec)
    for name, array in arrays.items():
        yield outcome(f"round trip of {name}", partial(_check_round_trip, codec, array))
    array = next(iter(arrays.values()))
    if codec.takes == "uint8":
        yield outcome("pixels beyond the frame stay zero", lambda: _check_padding(codec, array))
    yield outcome(f"declared loss: exact = {codec.exact}", lambda: _check_exact(codec, [*arrays.values()]))
    yield outcome("parts are the rows of the array", lambda: _check_parts(codec, [*arrays.values()]))
    yield outcome("the codec is deterministic", lambda: _check_determinism(codec, array))
    yield outcome("arrays stay unchanged", lambda: expect_unchanged([array], lambda: codec.encode(array)))
    yield outcome("truncated bytes are refused", lambda: _check_truncated(codec, array))
    yield outcome("bytes of a different array are refused", lambda: _check_mismatched(codec, array))
    yield outcome("damaged bytes are refused or decoded", lambda: _check_damaged(codec, array))
    yield outcome("huge shapes are refused without allocation", lambda: _check_huge(codec, array))


def made_up_arrays(codec: Codec) -> dict[str, Array]:
    """Return arrays of the shapes in messages, by name: windows or frames of pixels, or tokens."""
    rng = np.random.default_rng(0)
    if codec.takes == "uint8":
        sizes = {"windows": (3, 64, 64), "a frame": (48, 80), "a frame of one column": (40, 1)}
        pictures = {name: made_up_picture(rng, (size[-2], size[-1])) for name, size in sizes.items()}
        pixels = {name: to_uint8(picture) for name, picture in pictures.items()}
        arrays = {name: np.tile(pixels[name], (*size[:-2], 1, 1, 1)) for name, size in sizes.items()}
        arrays = {name: array.reshape(*sizes[name], 3) for name, array in arrays.items()}
        arrays["windows"][-1] = arrays["windows"][-1][::-1]
        arrays["a black frame"] = np.zeros((32, 32, 3), np.uint8)
        return arrays
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
    """Decode bytes; raise BrokenRule if the result is not a finite array of this shape and the codec's dtype."""
    array = codec.decode(data, shape)
    expect_array(array, shape, codec.takes)
    return array


def _encoded(codec: Codec, array: Array) -> bytes:
    data = codec.encode(array)
    if not isinstance(data, bytes):
        raise BrokenRule(f"`encode` returns bytes, found {type(data).__name__}")
    return data


def _check_round_trip(codec: Codec, array: Array) -> None:
    _decoded(codec, _encoded(codec, array), array.shape)


def _check_padding(codec: Codec, array: Array) -> None:
    padded = array.copy()
    padded[-1, 20:] = 0
    padded[-1, :, 50:] = 0
    decoded = _decoded(codec, codec.encode(padded), padded.shape)
    if decoded[-1, 20:].any() or decoded[-1, :, 50:].any():
        raise BrokenRule("zeros below or right of a tile's content are decoded as other values")


def _check_exact(codec: Codec, arrays: list[Array]) -> None:
    same = [np.array_equal(_decoded(codec, codec.encode(array), array.shape), array) for array in arrays]
    if codec.exact and not all(same):
        raise BrokenRule("`exact` is True, but a decoded array differs from the encoded one")
    if not codec.exact and all(same):
        raise BrokenRule("`exact` is False, but all arrays are decoded exactly: pixels would count as hidden")


def _check_parts(codec: Codec, arrays: list[Array]) -> None:
    for array in arrays:
        data = codec.encode(array)
        rows = np.concatenate([*codec.parts(data, array.shape)])
        decoded = _decoded(codec, data, array.shape).reshape(-1, array.shape[-1])
        if not np.array_equal(rows, decoded):
            raise BrokenRule(f"`parts` gives other rows than `decode` for an array of {array.shape}")


def _check_determinism(codec: Codec, array: Array) -> None:
    data = codec.encode(array)
    if codec.encode(array.copy()) != data:
        raise BrokenRule("the same array was encoded as two different messages")
    if not np.array_equal(codec.decode(data, array.shape), codec.decode(data, array.shape)):
        raise BrokenRule("the same bytes were decoded as two different arrays")


def _refuses(codec: Codec, data: bytes, shape: tuple[int, ...], description: str) -> bool:
    """Return whether the codec refuses bytes with a ValueError.

    Raises:
        BrokenRule: Any other exception, or an invalid array. `description` of the bytes begins its message.
    """
    try:
        _decoded(codec, data, shape)
    except ValueError:
        return True
    except BrokenRule as broken:
        raise BrokenRule(f"{description}: {broken}") from broken
    # Any other exception would stop the server or the edge.
    except Exception as error:
        raise BrokenRule(
            f"{description}: expected a ValueError, found {type(error).__name__}: {error}"
        ) from error
    return False


def _check_truncated(codec: Codec, array: Array) -> None:
    data = codec.encode(array)
    for kept in (0, 1, len(data) // 4, len(data) // 2):
        if not _refuses(codec, data[:kept], array.shape, f"the first {kept} of {len(data)} bytes"):
            raise BrokenRule(f"the first {kept} of {len(data)} bytes are decoded as an array")


def _check_mismatched(codec: Codec, array: Array) -> None:
    data = codec.encode(array)
    larger = (*array.shape[:-2], array.shape[-2] + 1, array.shape[-1])
    noise = np.random.default_rng(0).bytes(len(data) + 1)
    for other, shape, description in (
        (data, larger, f"bytes of an array of {array.shape}"),
        (codec.encode(np.zeros(larger, array.dtype)), array.shape, f"bytes of an array of {larger}"),
        (noise, array.shape, f"{len(noise)} random bytes"),
    ):
        if not _refuses(codec, other, shape, description):
            raise BrokenRule(f"{description} are decoded as an array of {shape}")


def _check_damaged(codec: Codec, array: Array) -> None:
    """Check that damaged bytes give an array or a ValueError: a codec need not detect all damage."""
    data = codec.encode(array)
    for start, length, value in product(
        range(min(_DAMAGED_BYTES, len(data))), (1, 4), (0x00, 0x7F, 0x80, 0xFF)
    ):
        damaged = data[:start] + bytes([value] * length) + data[start + length :]
        _refuses(codec, damaged[: len(data)], array.shape, f"{length} bytes from {start} on set to {value}")
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
        raise BrokenRule(f"{len(data)} bytes are decoded as an array of {shape}")
    if peak > _MAX_ALLOCATION + 8 * len(data):
        raise BrokenRule(f"{peak} bytes are allocated for shape {shape} before {len(data)} bytes are refused")
