"""Picture files of every kind and of none."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pedbench.pictures import PictureError, read_picture
from pedbench.reading import ReadableIds

COLOURS = np.random.default_rng(0).integers(0, 256, (12, 17, 3), np.uint8)


def bits(path: Path, *, upright: bool = False) -> Any:
    picture = read_picture(path, upright=upright)
    assert picture.dtype == np.float32
    pixels = np.rint(picture * 255)
    np.testing.assert_array_equal(picture, pixels.astype(np.float32) / np.float32(255))
    return pixels.astype(np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "YCbCr"])
def test_modes_become_rgb(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(COLOURS).convert(mode)
    path = tmp_path / ("picture.tif" if mode in ("CMYK", "YCbCr") else "picture.png")
    image.save(path)
    np.testing.assert_array_equal(bits(path), np.asarray(image.convert("RGB")))


def test_transparency_is_seen_before_white(tmp_path: Path) -> None:
    rgba = np.dstack([COLOURS, np.zeros(COLOURS.shape[:2], np.uint8)])
    rgba[:6, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    pixels = bits(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels[:6], COLOURS[:6])
    assert (pixels[6:] == 255).all()
    palette = Image.fromarray(COLOURS).convert("P")
    corner = palette.getpixel((0, 0))
    palette.save(tmp_path / "p.png", transparency=corner)
    assert (bits(tmp_path / "p.png")[0, 0] == 255).all()


def test_sixteen_bits_are_rounded(tmp_path: Path) -> None:
    grey = np.arange(12 * 17, dtype=np.uint16).reshape(12, 17) * 321
    Image.fromarray(grey).save(tmp_path / "deep.png")
    expected = np.floor(grey / 65535 * 255 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(bits(tmp_path / "deep.png"), np.repeat(expected[..., None], 3, axis=2))


def test_orientation_is_followed_only_on_request(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise
    Image.fromarray(COLOURS).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(bits(tmp_path / "turned.png"), COLOURS)
    np.testing.assert_array_equal(bits(tmp_path / "turned.png", upright=True), np.rot90(COLOURS, -1))


def broken_files(folder: Path) -> dict[str, str]:
    """Writes files that hold no readable picture; name -> what the error has to say."""
    whole = folder / "whole.jpg"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)).save(whole)
    data = whole.read_bytes()
    whole.unlink()
    (folder / "truncated.jpg").write_bytes(data[: len(data) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.png").write_text("not a picture")
    (folder / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\n" + np.random.default_rng(2).bytes(400))
    (folder / "script.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    (folder / "bomb.png").write_bytes(_empty_png(20_000, 20_000))
    (folder / "large.png").write_bytes(_empty_png(17_100, 10_000))
    (folder / "folder.png").mkdir()
    Image.fromarray(np.ones((4, 4), np.float32)).save(folder / "floats.tif")
    return {
        "truncated.jpg": "truncated",
        "empty.jpg": "is no picture",
        "text.png": "is no picture",
        "noise.png": "is no picture|cannot be read",
        "script.jpg": "is no picture",
        "bomb.png": "pixels that are read",
        "large.png": "17100 x 10000 pixels",
        "folder.png": "no such file",
        "floats.tif": "float pixels",
        "missing.png": "no such file",
    }


def _empty_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_broken_files_are_named_in_one_sentence(tmp_path: Path) -> None:
    for name, reason in broken_files(tmp_path).items():
        with pytest.raises(PictureError, match=reason) as caught:
            read_picture(tmp_path / name, upright=True)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(PictureError, match="cannot be read"):
        read_picture(tmp_path / ("x" * 5000), upright=True)


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
