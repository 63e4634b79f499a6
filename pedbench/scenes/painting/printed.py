"""Pictures on flat objects: screens, notes, framed pictures, book covers, keys and clock faces.

Sizes are in pixels of the oversampled picture, so that letters get the heights of `lettering.CAPITALS`.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pedbench.scenes.painting.assets import Colour, Split, face, photograph
from pedbench.scenes.painting.geometry import turn
from pedbench.scenes.painting.lettering import OVERSAMPLING, Mark, Printed, figure, write_words
from pedbench.scenes.painting.textures import mixed, object_colour, patterned, plain, scaled

Size = tuple[int, int]

LEAST_FACE = 24
"""Minimum side of a portrait in pixels of the finished picture: common face detectors need it."""


def screen(rng: np.random.Generator, split: Split, size: Size, bezel: Colour, edge: float) -> Printed:
    """Paint a lit screen: a wallpaper (plain or photograph), mostly with a light or dark window of words.

    Args:
        edge: Width of the bezel as a share of the shorter side.
    """
    width, height = size
    border = max(2, round(edge * min(size)))
    lit = (width - 2 * border, height - 2 * border)
    kind = float(rng.random())
    if kind < 0.3:
        wallpaper = photograph(rng, split, lit)
    else:
        tint = object_colour(rng, [bezel])
        wallpaper = plain(rng, mixed(tint, (20, 30, 60), 0.3)).resize(lit, Image.Resampling.BILINEAR)
    board = Image.new("RGB", size, bezel)
    board.paste(wallpaper, (border, border))
    pen = ImageDraw.Draw(board)
    if kind < 0.88:
        margin = 0 if width < 130 or rng.random() < 0.5 else round(0.06 * min(lit))
        left, top = border + margin, border + margin
        right, bottom = width - border - margin, height - border - margin
        dark = rng.random() < 0.4
        paper = (
            scaled((28, 32, 40), float(rng.uniform(0.5, 1.3)))
            if dark
            else (_pastel(rng) if rng.random() < 0.4 else (244, 245, 247))
        )
        ink = (236, 240, 244) if dark else (18, 20, 26)
        accent = object_colour(rng, [paper])
        pen.rectangle([left, top, right - 1, bottom - 1], fill=paper)
        bar = round(min(0.1 * height, 14))
        pen.rectangle([left, top, right - 1, top + bar], fill=accent)
        column = round(0.16 * width) if width > 220 and rng.random() < 0.4 else 0
        if column:
            pen.rectangle([left, top + bar, left + column, bottom - 1], fill=mixed(paper, accent, 0.35))
        inset = round(0.03 * width) + 1
        area = (left + column + inset, top + bar + 3, right - inset, bottom - 2)
        if area[2] - area[0] > 260 and rng.random() < 0.35:
            thumbnail = (90, max(20, area[3] - area[1] - 12))
            board.paste(photograph(rng, split, thumbnail), (area[2] - 90, area[1] + 6))
            area = (area[0], area[1], area[2] - 96, area[3])
        marks = write_words(rng, board, area, ink, int(rng.integers(3, 13)))
    else:
        marks = ()
    if not marks:
        _icons(rng, board, border + max(2, round(0.05 * width)))
    return Printed(picture=board, marks=marks)


def note(rng: np.random.Generator, size: Size, paper: Colour) -> Printed:
    """Paint a paper note with one or a few words, or scribbles where no legible word fits."""
    width, height = size
    board = plain(rng, paper).resize(size, Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(board)
    pen.rectangle([0, 0, width, round(0.1 * height)], fill=scaled(paper, 0.9))
    ink = ((20, 20, 28), (24, 30, 96), (110, 16, 22))[int(rng.integers(3))]
    area = (round(0.07 * width), round(0.12 * height), round(0.96 * width), round(0.98 * height))
    marks = write_words(rng, board, area, ink, int(rng.integers(1, 5)))
    if not marks:
        step = max(5, height // 5)
        for y in range(step, height - 3, step):
            end = width * float(rng.uniform(0.5, 0.9))
            pen.line([(width * 0.1, y), (end, y)], fill=mixed(paper, ink, 0.7), width=max(1, step // 4))
    return Printed(picture=board, marks=marks)


def framed(rng: np.random.Generator, split: Split, size: Size, frame: Colour) -> Printed:
    """Paint a frame with a mat and a portrait or a photograph of something."""
    width, height = size
    board = Image.new("RGB", size, frame)
    pen = ImageDraw.Draw(board)
    rim = max(3, round(min(size) * float(rng.uniform(0.05, 0.1))))
    pen.rectangle([0, 0, width - 1, rim // 3], fill=scaled(frame, 1.25))
    pen.rectangle([0, height - rim // 3, width - 1, height], fill=scaled(frame, 0.7))
    mat = round(min(size) * float(rng.uniform(0.0, 0.08)))
    pen.rectangle([rim, rim, width - rim - 1, height - rim - 1], fill=(240, 236, 226))
    inner = (rim + mat, rim + mat, width - rim - mat, height - rim - mat)
    room = (inner[2] - inner[0], inner[3] - inner[1])
    # Smaller faces cannot be recognised.
    if rng.random() < 0.3 or min(room) < LEAST_FACE * OVERSAMPLING:
        board.paste(photograph(rng, split, room), inner[:2])
        return Printed(picture=board)
    person = face(rng, split)
    scale = min(room[0] / person.picture.width, room[1] / person.picture.height)
    shown = (round(person.picture.width * scale), round(person.picture.height * scale))
    portrait = person.picture.resize(shown, Image.Resampling.BICUBIC)
    # A blurred copy fills the frame where its shape differs from the portrait's.
    backdrop = person.picture.resize(room, Image.Resampling.BILINEAR).filter(ImageFilter.GaussianBlur(12))
    board.paste(backdrop, inner[:2])
    x, y = inner[0] + (room[0] - shown[0]) // 2, inner[1] + (room[1] - shown[1]) // 2
    board.paste(portrait, (x, y))
    left, top, right, bottom = person.box
    box = (x + left * shown[0], y + top * shown[1], x + right * shown[0], y + bottom * shown[1])
    return Printed(picture=board, marks=(Mark(kind="face", content=person.name, box=box),))


def cover(rng: np.random.Generator, split: Split, size: Size, colour: Colour) -> Printed:
    """Paint a book's cover: coloured, with a band, a picture or a pattern."""
    board = plain(rng, colour).resize(size, Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(board)
    width, height = size
    second = object_colour(rng, [colour])
    style = float(rng.random())
    if style < 0.4:
        inner = (round(0.15 * width), round(0.3 * height), round(0.85 * width), round(0.85 * height))
        room = (max(2, inner[2] - inner[0]), max(2, inner[3] - inner[1]))
        board.paste(photograph(rng, split, room), inner[:2])
    elif style < 0.6:
        board.paste(
            patterned(rng, split, colour, second).resize((width, max(1, height // 2))), (0, height // 2)
        )
    else:
        band = round(float(rng.uniform(0.1, 0.6)) * height)
        pen.rectangle([0, band, width, band + round(0.2 * height)], fill=second)
    pen.rectangle(
        [round(0.2 * width), round(0.1 * height), round(0.8 * width), round(0.17 * height)], fill=second
    )
    return Printed(picture=board)


def keys(rng: np.random.Generator, base: Colour, cap: Colour) -> Printed:
    """Paint the keys of a keyboard, 240 by 84 px."""
    board = Image.new("RGB", (240, 84), base)
    pen = ImageDraw.Draw(board)
    accent = object_colour(rng, [cap], 60)
    for row in range(5):
        count = (14, 14, 13, 12, 7)[row]
        for column in range(count):
            x, y, step = 6 + column * 228 / count, 6 + row * 15, 228 / count
            fill = accent if row in (1, 3) and column == count - 1 else cap
            pen.rectangle([x, y, x + step - 4, y + 11], fill=fill)
            pen.rectangle([x, y + 9, x + step - 4, y + 11], fill=scaled(fill, 0.75))
    return Printed(picture=board)


def dial(rng: np.random.Generator, colour: Colour, rim: Colour) -> Printed:
    """Paint a clock face with hands at a random time, 160 px square; its corners are rim-coloured."""
    board = Image.new("RGB", (160, 160), rim)
    pen = ImageDraw.Draw(board)
    pen.ellipse([10, 10, 150, 150], fill=colour)
    ink = (24, 24, 28) if sum(colour) > 380 else (240, 240, 236)
    numbered = rng.random() < 0.6
    for hour in range(12):
        c, s = turn(hour * 30.0)
        if numbered and hour % 3 == 0:
            figure(board, str(hour or 12), (80 + 52 * s, 80 - 52 * c), 26, ink)
        else:
            pen.line([(80 + 54 * s, 80 - 54 * c), (80 + 64 * s, 80 - 64 * c)], fill=ink, width=5)
    for reach, thick in ((36, 8), (56, 5)):
        c, s = turn(float(rng.uniform(0, 360)))
        pen.line([(80 - 8 * s, 80 + 8 * c), (80 + reach * s, 80 - reach * c)], fill=ink, width=thick)
    return Printed(picture=board)


def _icons(rng: np.random.Generator, board: Image.Image, margin: int) -> None:
    pen = ImageDraw.Draw(board)
    step = max(7, min(board.size) // int(rng.integers(4, 7)))
    for y in range(margin + step // 2, board.height - margin - step // 2, step):
        for x in range(margin, board.width - margin - step // 2, step):
            if rng.random() < 0.55:
                pen.rectangle([x, y, x + step * 0.6, y + step * 0.6], fill=object_colour(rng, []))


def _pastel(rng: np.random.Generator) -> Colour:
    return mixed(object_colour(rng, []), (255, 255, 255), 0.78)
