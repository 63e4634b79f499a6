"""Pictures that a person drops are read as those of datasets."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pedbench.explore.pictures import MAX_BYTES, read_bytes
from pedbench.pictures.files import PictureError


def encoded(form: str, image: Image.Image, **settings: object) -> bytes:
    data = io.BytesIO()
    image.save(data, form, **settings)
    return data.getvalue()


def test_orientation_and_transparency_are_applied() -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = read_bytes("a.png", encoded("PNG", Image.fromarray(pixels), exif=exif)).image
    assert turned.shape == (16, 8, 3)
    assert (turned[0].min(), turned[-1].max()) == (1, 0)
    clear = read_bytes("b.png", encoded("PNG", Image.new("RGBA", (4, 4), (0, 0, 0, 0)))).image
    assert clear.min() == 1


def test_one_name_with_two_contents_is_two_pictures() -> None:
    one, other = (encoded("PNG", Image.new("RGB", (4, 4), colour)) for colour in ("red", "blue"))
    assert read_bytes("a.png", one).id != read_bytes("a.png", other).id


def bomb() -> bytes:
    """Return a PNG of a few bytes that says it has 20000 x 20000 pixels."""
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<svg onload=alert(1)>", "is no picture"),
        (bomb(), "170,000,000"),
        (bytes(MAX_BYTES + 1), "bytes, more than"),
        (encoded("PNG", Image.new("RGB", (64, 64)))[:60], "cannot be read"),
    ],
)
def test_what_is_no_picture_is_named_without_any_path(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason) as raised:
        read_bytes("holiday.jpg", data)
    assert str(raised.value).startswith("holiday.jpg: ")
    assert "/tmp" not in str(raised.value)
