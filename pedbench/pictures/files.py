"""Reading untrusted picture files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pedbench.pictures.frame import from_uint8
from pedbench.types import Picture

MAX_PIXELS = 170_000_000
"""Largest picture that is read: a file of a few kilobytes can unpack to more than any memory holds."""

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Suffixes of picture files, in lower or upper case."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
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
"""Transposition that undoes each EXIF orientation."""


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
        upright: Apply the EXIF orientation. Annotations made on the stored pixels, such as COCO's, need it off.

    Returns:
        (H, W, 3) float32 in [0, 1], every value a multiple of 1/255.

    Raises:
        PictureError: The file does not exist or cannot be read in full.
    """
    try:
        if not path.is_file():
            raise PictureError(f"{path}: there is no such file.")
        # Pillow warns of odd metadata, and of large pictures long before its limit.
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
                # Pillow always applies the orientation of this format.
                if image.format == "TIFF" and turns is not None and not upright:
                    seen = image.transpose(turns)
                pixels = np.asarray(_to_rgb(seen))
    except PictureError:
        raise
    except Image.DecompressionBombError:
        raise PictureError(f"{path}: has more than the {MAX_PIXELS:,} pixels that are read.") from None
    except UnidentifiedImageError:
        raise PictureError(f"{path}: is no picture in any of the formats {', '.join(_FORMATS)}.") from None
    # On broken files, Pillow's decoders raise nearly every kind of exception.
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
