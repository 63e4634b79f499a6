"""Contact sheets: pictures in rows and columns, with words above and below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture

_GAP = 12
_TEXT = 1 / 76
"""Font size relative to the sheet's width: readable on pages that show a sheet 900 pixels wide."""
_SPACING = 1.35
_INK, _PAPER = (32, 36, 42), (255, 255, 255)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A picture with lines of words below it, or words alone.

    Attributes:
        picture: (H, W, 3) in [0, 1].
    """

    picture: Picture | None = None
    caption: Sequence[str] = ()


def draw_sheet(
    rows: Sequence[Sequence[Tile]], path: Path, *, headers: Sequence[str] = (), width: int
) -> None:
    """Write a sheet as a PNG.

    Args:
        rows: Tiles by row, each row with a picture.
        path: The file to write.
        headers: Headings of the columns.
        width: Width of every tile in pixels; heights follow.
    """
    whole = max(map(len, rows)) * (width + _GAP) + _GAP
    text = round(whole * _TEXT)
    line = round(text * _SPACING)
    pictures = [max(_height(tile, width) for tile in row) for row in rows]
    captions = [max(len(tile.caption) for tile in row if tile.picture is not None) for row in rows]
    first = _GAP + line * bool(headers)
    heights = [height + line * lines + _GAP for height, lines in zip(pictures, captions, strict=True)]
    sheet = Image.new("RGB", (whole, first + sum(heights)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    bold, plain = (ImageFont.truetype(fonts / f"DejaVuSans{kind}.ttf", text) for kind in ("-Bold", ""))
    for column, header in enumerate(headers):
        pen.text((_GAP + column * (width + _GAP), _GAP // 2), header, _INK, bold)
    for row, top in zip(rows, np.cumsum([first, *heights[:-1]]).tolist(), strict=True):
        for column, tile in enumerate(row):
            left = _GAP + column * (width + _GAP)
            if tile.picture is not None:
                size = (width, _height(tile, width))
                pixels = Image.fromarray(to_uint8(tile.picture)).resize(size, Image.Resampling.LANCZOS)
                sheet.paste(pixels, (left, top))
            for number, words in enumerate(tile.caption):
                pen.text((left, top + _height(tile, width) + 1 + number * line), words, _INK, plain)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def _height(tile: Tile, width: int) -> int:
    if tile.picture is None:
        return 0
    height, own = (int(side) for side in tile.picture.shape[:2])
    return round(height * width / own)
