"""Reading untrusted picture files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError, features

from pedbench.pictures.frame import from_uint8
from pedbench.types import Picture

MAX_PIXELS = 170_000_000
"""Largest picture that is read: a file of a few kilobytes can unpack to more than any memory holds."""

_AVIF = ("AVIF",) if "avif" in features.get_supported() else ()

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
    | {f".{name.lower()}" for name in _AVIF}
)
"""Suffixes of picture files, in lower or upper case."""

UNREAD_SUFFIXES = (
    frozenset({".arw", ".avif", ".cr2", ".dng", ".heic", ".heif", ".jp2", ".jxl", ".nef"}) - SUFFIXES
)
"""Suffixes of picture files in formats that are not read."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP", *_AVIF)
"""Formats that a file may contain, whatever its name says; none that starts an interpreter."""


_TURNED_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""Transposition that undoes turning a picture upright, by EXIF orientation."""

_UPRIGHT = _TURNED_BACK | {6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}


class PictureError(ValueError):
    """A file without a usable picture; the message names the file and the reason."""


def refuse_way_out(path: Path, folder: Path) -> None:
    """Refuse a link to a file outside of a folder, which the folder's owner may not have meant to publish.

    Raises:
        PictureError: The path leads out of the folder.
    """
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    # Paths that cannot be resolved (bad names, circular links) are reported where they are read.
    except (OSError, RuntimeError, ValueError):
        return
    if not inside:
        raise PictureError(f"{path}: is a link out of {folder}: put the picture itself there.")


def read_picture(path: Path, *, upright: bool) -> Picture:
    """Read a picture file.

    Grey, palette, CMYK and similar modes become RGB; transparent pixels are blended with white; 16 bits are
    rounded to 8; of several frames the first is used.

    Args:
        path: The file.
        upright: Apply the EXIF orientation, if the EXIF data can be read.

    Returns:
        (H, W, 3) float32 in [0, 1], every value a multiple of 1/255.

    Raises:
        PictureError: The file does not exist or cannot be read in full.
    """
    return decode_picture(path, str(path), upright=upright)


def decode_picture(source: Path | IO[bytes], name: str, *, upright: bool = False) -> Picture:
    """Read a picture from a file or stream, as `read_picture` does.

    Args:
        name: What messages call it.

    Raises:
        PictureError: It cannot be read in full.
    """
    try:
        if isinstance(source, Path) and not source.is_file():
            raise PictureError(f"{name}: there is no such file.")
        # Pillow warns of odd metadata, and of large pictures long before its limit.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source, formats=_FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise PictureError(
                        f"{name}: {width} x {height} pixels are more than the {MAX_PIXELS:,} that are read."
                    )
                turned = _orientation(image)
                image.load()
                # Pillow always turns this format upright.
                turns = {} if upright == (image.format == "TIFF") else _UPRIGHT if upright else _TURNED_BACK
                seen = image.transpose(turns[turned]) if turned in turns else image
                pixels = np.asarray(_to_rgb(seen))
    except PictureError:
        raise
    except Image.DecompressionBombError:
        raise PictureError(f"{name}: has more than the {MAX_PIXELS:,} pixels that are read.") from None
    except UnidentifiedImageError:
        raise PictureError(f"{name}: is no picture in any of the formats {', '.join(_FORMATS)}.") from None
    # On broken files, Pillow's decoders raise nearly every kind of exception.
    except Exception as error:
        raise PictureError(f"{name}: cannot be read: {type(error).__name__}: {error}.") from error
    return from_uint8(pixels)


def orientation(path: Path) -> int:
    """Return the EXIF orientation of a picture that can be read: 1 to 8, 1 without readable EXIF data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=_FORMATS) as image:
            return _orientation(image)


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    # On broken EXIF data, Pillow raises nearly every kind of exception; the pixels may be sound.
    except Exception:
        return 1
    return int(found) if found in _TURNED_BACK else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"grey values lie in [{values.min()}, {values.max()}], beyond 16 bits")
        return Image.fromarray(np.rint(values / 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("float pixels have no agreed range")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image.convert("RGB")
