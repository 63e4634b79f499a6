"""Colours and surface textures, procedural or from photographed surfaces.

A texture is a grey relief (made once per process) that is coloured for each use.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from pedbench.scenes.painting.assets import Colour, Split, relief

SIDE = 256
"""Width and height of a relief in pixels; reliefs tile seamlessly."""

WALLS = ("plaster", "plaster", "stripes", "dots", "panels", "brick", "weave", "diamonds")
FLOORS = ("planks", "planks", "tiles", "weave", "plaster", "gravel")
DESKS = ("wood", "wood", "wood", "marble", "plaster")
CLOTHS = ("stripes", "checks", "dots", "weave", "diamonds", "grass", "plaster", "bands")
_VARIANTS = 3


def textured(
    rng: np.random.Generator, split: Split, names: Sequence[str], colour: Colour, contrast: float
) -> Image.Image:
    """Colour a random one of the named textures.

    Args:
        contrast: Half the spread between its darkest and lightest parts, as a share of the colour.

    Returns:
        RGB, `SIDE` by `SIDE` px, seamless.
    """
    name = names[int(rng.integers(len(names)))]
    grey = _relief(name, int(rng.integers(_VARIANTS)), split)
    return ImageOps.colorize(grey, black=scaled(colour, 1 - contrast), white=scaled(colour, 1 + contrast))


def patterned(rng: np.random.Generator, split: Split, first: Colour, second: Colour) -> Image.Image:
    """Return a cloth-like pattern of two colours, RGB, `SIDE` by `SIDE` px."""
    name = CLOTHS[int(rng.integers(len(CLOTHS)))]
    return ImageOps.colorize(_relief(name, int(rng.integers(_VARIANTS)), split), black=first, white=second)


def tiled(texture: Image.Image, times: int) -> Image.Image:
    """Return the texture repeated `times` by `times`."""
    board = Image.new("RGB", (texture.width * times, texture.height * times))
    for row in range(times):
        for column in range(times):
            board.paste(texture, (column * texture.width, row * texture.height))
    return board


def plain(rng: np.random.Generator, colour: Colour) -> Image.Image:
    """Return a smooth surface with a faint gradient, RGB, 16 by 16 px."""
    slope_x, slope_y = float(rng.uniform(-0.09, 0.09)), float(rng.uniform(-0.09, 0.09))
    ramp = np.linspace(-1.0, 1.0, 16)
    gain = 1.0 + slope_x * ramp[None, :, None] + slope_y * ramp[:, None, None]
    pixels = np.clip(np.array(colour, np.float64) * gain + 0.5, 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def scaled(colour: Colour, factor: float) -> Colour:
    """Return a colour made darker or lighter, clipped to 0..255."""
    red, green, blue = (min(255, max(0, int(channel * factor + 0.5))) for channel in colour)
    return red, green, blue


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Return a colour between two; share 0 is the first."""
    red, green, blue = (int(a + (b - a) * share + 0.5) for a, b in zip(first, second, strict=True))
    return red, green, blue


def distance(first: Colour, second: Colour) -> float:
    """Return how different two colours look: root of weighted squares, brightness before hue."""
    red, green, blue = (a - b for a, b in zip(first, second, strict=True))
    light = 0.3 * red + 0.59 * green + 0.11 * blue
    squares = 0.3 * red * red + 0.4 * green * green + 0.3 * blue * blue + light * light
    return float(squares**0.5)


def surface_colour(rng: np.random.Generator) -> Colour:
    """Return a muted colour for walls, floors and furniture."""
    return _hsv(float(rng.uniform(0, 1)), float(rng.uniform(0.03, 0.4)), float(rng.uniform(0.38, 0.88)))


def wood_colour(rng: np.random.Generator) -> Colour:
    """Return a brown between ash and walnut."""
    return _hsv(
        float(rng.uniform(0.05, 0.11)), float(rng.uniform(0.25, 0.65)), float(rng.uniform(0.32, 0.85))
    )


def object_colour(rng: np.random.Generator, avoid: Sequence[Colour], least: float = 75.0) -> Colour:
    """Return a colour that differs from the ones to avoid: often vivid, sometimes nearly grey."""
    best, best_gap = (255, 255, 255), -1.0
    for _ in range(12):
        if rng.random() < 0.3:
            colour = _hsv(float(rng.uniform(0, 1)), float(rng.uniform(0, 0.1)), float(rng.uniform(0.1, 0.98)))
        else:
            colour = _hsv(
                float(rng.uniform(0, 1)), float(rng.uniform(0.35, 0.95)), float(rng.uniform(0.3, 0.97))
            )
        gap = min((distance(colour, other) for other in avoid), default=least)
        if gap >= least:
            return colour
        if gap > best_gap:
            best, best_gap = colour, gap
    return best


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return int(red * 255 + 0.5), int(green * 255 + 0.5), int(blue * 255 + 0.5)


def _noise(rng: np.random.Generator, columns: int, rows: int) -> Image.Image:
    """Return smooth seamless noise with about columns by rows bumps, grey, full contrast."""
    grid = rng.integers(0, 256, (rows, columns), dtype=np.uint8)
    # Three periods are enlarged and the middle one kept, so that the edges meet.
    wide = Image.fromarray(np.tile(grid, (3, 3))).resize((3 * SIDE, 3 * SIDE), Image.Resampling.BICUBIC)
    return wide.crop((SIDE, SIDE, 2 * SIDE, 2 * SIDE))


def _octaves(rng: np.random.Generator, columns: int, rows: int) -> Image.Image:
    coarse = _noise(rng, columns, rows)
    middle = _noise(rng, 2 * columns, 2 * rows)
    fine = _noise(rng, min(4 * columns, SIDE), min(4 * rows, SIDE))
    return ImageOps.autocontrast(Image.blend(Image.blend(coarse, middle, 0.35), fine, 0.2))


@cache
def _relief(name: str, variant: int, split: Split) -> Image.Image:
    if name in ("brick", "grass", "gravel"):
        half = relief(f"{name}.png", split).resize((SIDE // 2, SIDE), Image.Resampling.BOX)
        board = Image.new("L", (SIDE, SIDE))
        board.paste(half, (0, 0))
        board.paste(ImageOps.mirror(half), (SIDE // 2, 0))
        return board
    rng = np.random.Generator(np.random.PCG64(1000 * variant + sum(name.encode())))
    if name == "plaster":
        return _octaves(rng, 12, 12)
    if name == "marble":
        # Veins run where smooth noise crosses middle grey.
        return _octaves(rng, 5, 4).point([255 - max(0, 160 - 8 * abs(level - 128)) for level in range(256)])
    if name == "wood":
        return _octaves(rng, 3, 40)
    if name == "planks":
        return _planks(rng)
    ground = _octaves(rng, 16, 16).point([225 + level * 30 // 255 for level in range(256)])
    return _ruled(name, (8, 16, 6)[variant], ground)


def _planks(rng: np.random.Generator) -> Image.Image:
    board = _octaves(rng, 3, 64).point([90 + level * 110 // 255 for level in range(256)])
    pen = ImageDraw.Draw(board)
    for top in range(0, SIDE, 32):
        shade = int(rng.integers(0, 60))
        strip = board.crop((0, top, SIDE, top + 32)).point([min(255, level + shade) for level in range(256)])
        board.paste(strip, (0, top))
        pen.line([(0, top), (SIDE, top)], fill=10, width=2)
        seam = int(rng.integers(0, SIDE))
        pen.line([(seam, top), (seam, top + 32)], fill=10, width=2)
    return board


def _ruled(name: str, count: int, ground: Image.Image) -> Image.Image:
    board = ground.copy()
    pen = ImageDraw.Draw(board)
    step = SIDE / count
    cells = [(row, column) for row in range(count + 1) for column in range(count + 1)]
    if name == "stripes":
        for column in range(count):
            pen.rectangle([column * step, 0, column * step + step * 0.5, SIDE], fill=40)
    elif name == "bands":
        for row in range(count):
            pen.rectangle([0, row * step, SIDE, row * step + step * (0.3 + 0.3 * (row % 2))], fill=30)
    elif name == "panels":
        for column in range(count):
            pen.rectangle([column * step, 0, column * step + 3, SIDE], fill=60)
    elif name == "tiles":
        for line in range(count):
            pen.rectangle([line * step, 0, line * step + 3, SIDE], fill=20)
            pen.rectangle([0, line * step, SIDE, line * step + 3], fill=20)
    elif name == "checks":
        for row, column in cells:
            if (row + column) % 2:
                pen.rectangle([column * step, row * step, (column + 1) * step, (row + 1) * step], fill=30)
    elif name == "dots":
        for row, column in cells:
            x, y, r = (column + 0.5 * (row % 2)) * step, (row + 0.5) * step, step * 0.22
            pen.ellipse([x - r, y - r, x + r, y + r], fill=40)
    elif name == "diamonds":
        for row, column in cells:
            x, y, r = (column + 0.5) * step, (row + 0.5) * step, step * 0.45
            pen.polygon([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], fill=50)
    elif name == "weave":
        for row in range(4 * count):
            for column in range(4 * count):
                if (row + column) % 2:
                    q = step / 4
                    pen.rectangle([column * q, row * q, (column + 1) * q - 1, (row + 1) * q - 1], fill=120)
    else:
        raise ValueError(f"there is no texture called {name!r}")
    return board
