"""Picture files of every kind and of none."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pedbench.pictures.files import SUFFIXES, PictureError, read_picture

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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["turned.png", "turned.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_followed_only_on_request(name: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOURS).save(tmp_path / name, exif=exif)
    np.testing.assert_array_equal(bits(tmp_path / name), COLOURS)
    mirrored = COLOURS[:, ::-1] if orientation in (2, 4, 5, 7) else COLOURS
    # Quarters of a turn, against the clock.
    quarters = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}[orientation]
    np.testing.assert_array_equal(bits(tmp_path / name, upright=True), np.rot90(mirrored, quarters))


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jfif", "a.tif"])
def test_broken_exif_data_cost_no_pixels(name: str, upright: bool, tmp_path: Path) -> None:
    file = tmp_path / name
    kind = "JPEG" if name.endswith("jfif") else None
    exif = b"Exif\0\0II*\0\xff\xff\xff\x7f broken"
    Image.new("RGB", (9, 7), "white").save(file, format=kind, **({} if name == "a.tif" else {"exif": exif}))
    assert bits(file, upright=upright).min() >= 254


@pytest.mark.skipif(".avif" not in SUFFIXES, reason="this Pillow reads no AVIF")
def test_avif_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (16, 8), "white").save(tmp_path / "a.avif")
    assert bits(tmp_path / "a.avif", upright=True).shape == (8, 16, 3)


@pytest.mark.parametrize(
    ("mode", "name", "colour"),
    [
        ("1", "a.png", (255, 255, 255)),
        ("L", "a.png", (200, 200, 200)),
        ("LA", "a.png", (224, 224, 224)),
        ("P", "a.gif", (255, 0, 0)),
        ("RGBA", "a.png", (255, 127, 127)),
        ("RGBA", "a.webp", (255, 127, 127)),
        ("RGBX", "a.tif", (255, 0, 0)),
        ("CMYK", "a.jpg", (255, 0, 0)),
        ("YCbCr", "a.jpg", (255, 0, 0)),
        ("I;16", "a.tif", (200, 200, 200)),
        ("I;16B", "a.tif", (200, 200, 200)),
        ("I;16", "a.png", (200, 200, 200)),
        ("I", "a.tif", (200, 200, 200)),
        ("LAB", "a.tif", (0, 68, 139)),
        ("F", "a.tif", "float pixels"),
        ("I", "far.tif", "beyond 16 bits"),
    ],
)
def test_every_mode_is_read_or_refused(mode: str, name: str, colour: Any, tmp_path: Path) -> None:
    value: Any = {
        "1": 1,
        "L": 200,
        "LA": (193, 128),
        "RGBA": (255, 0, 0, 128),
        "RGBX": (255, 0, 0, 0),
        "CMYK": (0, 255, 255, 0),
        "YCbCr": (76, 85, 255),
        "LAB": (54, 81, 70),
        "F": 0.5,
    }.get(mode, 200 * 257)
    if mode == "P":
        image = Image.new("RGB", (9, 7), "red").convert("P")
    elif name == "far.tif":
        image = Image.new("I", (9, 7), 70_000)
    else:
        image = Image.new(mode, (9, 7), value)
    image.save(tmp_path / name)
    if isinstance(colour, str):
        with pytest.raises(PictureError, match=colour):
            read_picture(tmp_path / name, upright=True)
        return
    np.testing.assert_allclose(bits(tmp_path / name).reshape(-1, 3), [colour] * 63, atol=3)


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1)])
def test_the_thinnest_pictures_are_read(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, (9, 8, 7)).save(tmp_path / "thin.png")
    assert bits(tmp_path / "thin.png").shape == (size[1], size[0], 3)


@pytest.mark.parametrize("name", ["bomb.tif", "bomb.gif", "bomb.webp", "bomb.bmp"])
def test_bombs_are_refused_before_they_unpack(name: str, tmp_path: Path) -> None:
    side = 16_000
    small = tmp_path / f"small{Path(name).suffix}"
    Image.new("L" if name.endswith("gif") else "RGB", (200, 100)).save(small)
    data = small.read_bytes()
    # The size as each format writes it down, in the place of that of a small picture.
    for order in ("<", ">"):
        for kind in ("I", "H"):
            was = [struct.pack(order + kind, number) for number in (200, 100)]
            data = data.replace(b"".join(was), struct.pack(order + kind, side) * 2)
    if name.endswith(("tif", "webp")):
        data = _large_tiff(side) if name.endswith("tif") else _large_webp(side)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PictureError, match="pixels"):
        read_picture(tmp_path / name, upright=True)


def _large_tiff(side: int) -> bytes:
    tags = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, side), (279, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)


def _large_webp(side: int) -> bytes:
    bits = (side - 1) | (side - 1) << 14
    body = b"VP8L" + struct.pack("<IBI", 20, 0x2F, bits) + bytes(15)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


@pytest.mark.slow
def test_a_large_picture_takes_some_bytes_a_pixel(tmp_path: Path) -> None:
    """In a process of its own whose memory is counted."""
    side = 5000
    Image.new("RGB", (side, side), "red").save(tmp_path / "large.png")
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from pedbench.pictures.files import read_picture\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "read_picture(Path(sys.argv[1]), upright=True)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "large.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 30 * side**2


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
