"""Reading picture files that nobody has vouched for."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pedbench.pictures.frame import from_uint8
from pedbench.types import Picture

MAX_PIXELS = 170_000_000
"""Larger pictures are refused: a few kilobytes of file can unpack to more than any memory holds."""

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Names of picture files end so, in lower or upper case."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What a file may contain, whatever its name says; formats that start interpreters are not among them."""


_TURNED_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""By EXIF orientation, what undoes it."""


class PictureError(ValueError):
    """A file holds no picture that can be used; the message names the file and the reason."""


def refuse_way_out(path: Path, folder: Path) -> None:
    """Refuse a link to a file outside of a folder: whose picture that is, nobody said.

    Raises:
        PictureError: It is one.
    """
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    # What has no name on this system, or goes round in circles, is told of where it is read.
    except (OSError, RuntimeError, ValueError):
        return
    if not inside:
        raise PictureError(f"{path}: is a link out of {folder}: put the picture itself there.")


def read_picture(path: Path, *, upright: bool) -> Picture:
    """Read a picture file.

    Grey, palette, CMYK and the like become RGB; what is transparent is seen before white; 16 bits are rounded
    to 8; of several frames the first is taken.

    Args:
        path: The file.
        upright: Turn the picture as its EXIF orientation says. Annotations made on the stored pixels, as
            COCO's, need them as they are stored.

    Returns:
        (H, W, 3) float32 in [0, 1], every value a multiple of 1/255.

    Raises:
        PictureError: There is no such file, or it cannot be read in full.
    """
    try:
        if not path.is_file():
            raise PictureError(f"{path}: there is no such file.")
        # What Pillow thinks of metadata is no news to anybody here, and its warning of large pictures comes
        # long before its limit.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise PictureError(
                        f"{path}: {width} x {height} pixels are more than the {MAX_PIXELS:,} that are read."
                    )
                turns = _TURNED_BACK.get(image.getexif().get(ExifTags.Base.Orientation, 1))
                image.load()
                seen = ImageOps.exif_transpose(image) if upright else image
                # Pillow turns this format whether it is asked to or not.
                if image.format == "TIFF" and turns is not None and not upright:
                    seen = image.transpose(turns)
                pixels = np.asarray(_to_rgb(seen))
    except PictureError:
        raise
    except Image.DecompressionBombError:
        raise PictureError(f"{path}: has more than the {MAX_PIXELS:,} pixels that are read.") from None
    except UnidentifiedImageError:
        raise PictureError(f"{path}: is no picture in any of the formats {', '.join(_FORMATS)}.") from None
    # Pillow's decoders let nearly every kind of exception through on broken files.
    except Exception as error:
        raise PictureError(f"{path}: cannot be read: {type(error).__name__}: {error}.") from error
    return from_uint8(pixels)


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
