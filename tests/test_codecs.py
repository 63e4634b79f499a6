"""Codecs against references that share nothing with them."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from pedbench.base import Field
from pedbench.codecs.bfloat16 import Bfloat16
from pedbench.codecs.jpeg import Jpeg
from pedbench.codecs.png import Png
from pedbench.codecs.quantised import Quantised
from pedbench.codecs.webp import Webp
from pedbench.errors import PluginError
from pedbench.offload.wire.codec_labels import Coded, code, codec_sources, decode, find_codec
from pedbench.registry import Registry

PICTURES = hnp.arrays("uint8", st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.just(3)))
TOKENS = hnp.arrays(
    "float32", hnp.array_shapes(min_dims=1, max_dims=4, max_side=5), elements=st.floats(-6e4, 6e4, width=32)
)


def waves(*shape: int) -> Any:
    """Smooth tiles, as photographs are, the last one cut by the frame: zero from row 20 and column 50 on."""
    places = np.stack(np.meshgrid(*map(np.arange, shape[1:3]), indexing="ij")).sum(axis=0)
    tiles = 128 + 100 * np.sin(places[None, ..., None] / 11 + np.arange(shape[0])[:, None, None, None])
    tiles = np.repeat(tiles, 3, axis=3).astype(np.uint8)
    tiles[-1, 20:] = 0
    tiles[-1, :, 50:] = 0
    return tiles


@given(array=PICTURES)
@settings(max_examples=50)
def test_png_loses_nothing(array: Any) -> None:
    assert np.array_equal(Png().decode(Png().encode(array), array.shape), array)
    assert np.array_equal(Png().decode(Png().encode(array[0]), array[0].shape), array[0])


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        (Jpeg(quality=70), {"format": "JPEG", "quality": 70, "subsampling": 2}),
        (Webp(quality=70), {"format": "WEBP", "quality": 70}),
    ],
)
def test_lossy_pictures_are_what_the_library_leaves_of_them(codec: Any, options: Any) -> None:
    tiles = waves(2, 64, 64)
    stream = io.BytesIO()
    # The frame's edge goes on into what lies beyond it.
    filled = tiles.copy()
    filled[-1, 20:] = filled[-1, 19:20]
    filled[-1, :, 50:] = filled[-1, :, 49:50]
    Image.fromarray(np.vstack(filled)).save(stream, **options)
    expected = np.asarray(Image.open(stream)).reshape(tiles.shape).copy()
    expected[-1, 20:] = 0
    expected[-1, :, 50:] = 0
    data = codec.encode(tiles)
    found = codec.decode(data, tiles.shape)
    assert np.array_equal(found, expected)
    assert 0 < np.abs(found.astype(int) - tiles).max() < 40
    assert len(data) == len(stream.getvalue()) + 2 * 4 < tiles.nbytes / 10


@given(array=TOKENS)
def test_bfloat16_is_torch_s(array: Any) -> None:
    expected = torch.tensor(array).bfloat16().float().numpy()
    data = Bfloat16().encode(array)
    assert len(data) == 2 * array.size
    assert np.array_equal(Bfloat16().decode(data, array.shape), expected)


def quantise_by_hand(array: Any, bits: int) -> tuple[Any, Any]:
    """Value by value and bit by bit. Returns what comes back, and the step of each value."""
    rows = array.reshape(-1, array.shape[-1])
    found, steps = np.empty_like(rows), np.empty(rows.shape)
    for channel in range(rows.shape[1]):
        values = [float(value) for value in rows[:, channel]]
        start = np.float16(min(values))
        while float(start) > min(values):
            start = np.nextafter(start, np.float16(-np.inf))
        step = np.float16((max(values) - float(start)) / (2**bits - 1))
        while float(step) * (2**bits - 1) < max(values) - float(start):
            step = np.nextafter(step, np.float16(np.inf))
        for row, value in enumerate(values):
            number = round((value - float(start)) / float(step)) if step > 0 else 0
            found[row, channel] = np.float32(start) + np.float32(step) * np.float32(number)
            steps[row, channel] = float(step)
    return found.reshape(array.shape), steps.reshape(array.shape)


@pytest.mark.slow
@given(array=TOKENS, bits=st.integers(2, 8))
def test_quantised_tokens_are_those_made_by_hand(array: Any, bits: int) -> None:
    codec = Quantised(bits=bits)
    data = codec.encode(array)
    found = codec.decode(data, array.shape)
    expected, steps = quantise_by_hand(array, bits)
    assert np.array_equal(found, expected)
    assert (np.abs(found.astype(float) - array) <= steps * 0.5 + 1e-6 * np.abs(array)).all()
    assert len(data) == 4 * array.shape[-1] + int(np.ceil(array.size * bits / 8))
    assert found.dtype == np.float32


def test_numbers_beyond_the_format_are_refused() -> None:
    large = np.full((2, 2), 3.4e38, np.float32)
    with pytest.raises(FloatingPointError):
        Quantised().encode(large)
    with pytest.raises(FloatingPointError):
        Bfloat16().encode(np.full((1, 1), np.finfo(np.float32).max, np.float32))


@pytest.mark.parametrize("label", ["png", "jpeg", "webp(quality=60)", "bfloat16", "quantised(bits=5)"])
def test_bytes_of_something_else_are_refused(label: str) -> None:
    codec = find_codec(label)
    shape = (2, 8, 8, 3)
    array = np.random.default_rng(0).integers(0, 256, shape).astype(codec.takes)
    data = codec.encode(array)
    for wrong, size in ((data[: len(data) // 2], shape), (data, (2, 8, 9, 3)), (b"", shape)):
        with pytest.raises(ValueError, match=r"."):
            codec.decode(wrong, size)


def test_a_header_that_announces_too_much_is_refused_before_any_pixel_is_read() -> None:
    data = Png().encode(np.zeros((8, 8, 3), np.uint8))
    start = data.index(b"IHDR")
    header = b"IHDR" + struct.pack(">II", 60000, 60000) + data[start + 12 : start + 17]
    bomb = data[:start] + header + struct.pack(">I", zlib.crc32(header)) + data[start + 21 :]
    with pytest.raises(ValueError, match=r"decompression bomb"):
        Png().decode(bomb, (8, 8, 3))


def test_channels_are_where_the_schema_says() -> None:
    features = np.random.default_rng(0).normal(size=(1, 4, 6, 5)).astype(np.float32)
    features *= np.array([1, 10, 100, 1000], np.float32)[:, None, None]
    field = Field(dtypes=("float32",), shape=(1, "channels", "height", "width"))
    left = decode(code(features, "quantised", field), field)
    # A scale of its own for each channel: the smallest one is not lost beside the largest.
    error = np.abs(left - features).max(axis=(0, 2, 3)) / np.ptp(features, axis=(0, 2, 3))
    assert (error < 0.6 / 255).all()


def test_labels_name_codecs() -> None:
    assert find_codec("jpeg(quality=50)") == Jpeg(quality=50)
    assert find_codec("quantised") == Quantised()
    for label in Registry().origins("codecs"):
        assert find_codec(label).label == label
    for wrong, reason in {
        "jpg": "no codec named 'jpg'",
        "jpeg(quality)": "cannot be read",
        "jpeg(quality=200)": "1..95",
        "jpeg(size=1)": "no parameter 'size'",
        "a b": "expected a codec",
    }.items():
        with pytest.raises(PluginError, match=reason):
            find_codec(wrong)
    data = code(np.zeros((1, 2, 2, 3), np.uint8), "jpeg").data
    with pytest.raises(ValueError, match="label is"):
        decode(Coded(codec="jpeg(quality=80)", dtype="uint8", shape=(1, 2, 2, 3), data=data))
    assert all(len(source) == 64 for source in codec_sources().values())


@pytest.mark.parametrize("label", ["png", "jpeg", "webp(quality=60)", "bfloat16", "quantised(bits=5)"])
@pytest.mark.parametrize("rows", [1, 255, 256, 600])
def test_parts_are_the_rows_of_the_array(label: str, rows: int) -> None:
    codec = find_codec(label)
    array = np.random.default_rng(0).integers(0, 256, (rows, 3, 3)).astype(codec.takes)
    data = codec.encode(array)
    parts = list(codec.parts(data, array.shape))
    assert np.array_equal(np.concatenate(parts).reshape(array.shape), codec.decode(data, array.shape))
    assert sum(map(len, parts)) == rows * 3
    with pytest.raises(ValueError, match=r"."):
        list(codec.parts(data[: len(data) // 2], array.shape))
