"""Random words and numbers, typeset on a flat surface."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pedbench.scenes.painting.assets import Colour

OVERSAMPLING = 2
"""Factor by which the canvas is larger than the finished picture."""

CAPITALS = (11.0, 13.6)
"""Height range of capital letters in the finished picture, in pixels, before perspective."""

_CAPITAL_PER_EM = 0.729  # DejaVu Sans
_WIDTH_PER_CAPITAL = 0.86

_LIST = """
able acid acre aged alarm album alert alley amber angel ankle apple april apron arena arrow aspen atlas
august autumn award bacon badge baker balance bamboo banana banjo barley basil basket beach beacon bean bear
beaver bench berry bike birch bird blanket blossom board boat bonus book border bottle branch brass bread
breeze brick bridge broom bucket budget butter button cabin cable cactus camel camera camp canal candle
canoe canvas captain card cargo carpet carrot castle cedar cellar cereal chain chalk charm cheese cherry
chess circle citrus city clay client cliff clock cloud clover coach coast cobalt coffee comet copper coral
corner cotton county cousin crane cream cricket crown crystal curtain dance dawn deal delta dentist desert
diary dinner doctor dolphin donkey dragon drum duck eagle early earth echo eight elbow ember empire engine
evening exam fabric falcon family farm feather fence fern festival field finger fire flag flame flight
flower flute folder forest fossil fountain fox frost fruit garage garden garlic ginger glacier glass globe
glove gold goose grain grape gravel green guitar hammer harbor harvest hazel heart hedge helmet herb hiking
hill hockey holiday honey horizon hotel house ice idea income index insect invoice iron island ivory jacket
jaguar january jasmine jelly jewel journey juice july jungle june keeper kettle key kitchen kite knight
ladder lake lamp lantern laptop laundry lawyer leaf lemon letter level library lily lime linen lion lizard
lobby locker london lotus lunch machine magnet mango manual maple marble march margin market meadow medal
meeting melon memo mentor message metal midnight milk mint mirror monday money monkey moon morning mother
motor mountain museum music napkin nectar needle nephew nickel night north novel number nurse oak oasis oat
ocean october office olive onion opera orange orbit orchard order oven owl oxygen oyster paint palace panda
paper parade park parrot party pasta patrol peach pearl pebble pencil pepper phone piano picnic pilot pine
pizza planet plaza plum pocket poem police pollen pond poppy postcard potato prince printer profit project
pumpkin purple puzzle quartz queen rabbit radio rain raven receipt record rent report rescue ribbon rice
ring river road robin rocket room rose ruby saddle safari sailor salad salary salmon sand satin saturday
school season secret seed select shadow shelf shell shelter signal silver sister sketch smoke snow sofa
south spider spring square stable station steam stone storm studio sugar summer sunday sunset swan table
tailor tango taxi tea temple tennis theater thunder ticket tiger timber tomato torch tower trail train
travel treaty tulip tunnel turtle uncle union urgent valley vanilla velvet village violet violin visit
vitamin volcano voyage wagon wallet walnut water wedding west whale wheat window winter wolf wonder wool
yacht yellow yogurt zebra zero
"""
WORDS = tuple(_LIST.split())


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A secret on a flat surface.

    Attributes:
        content: The word exactly as painted, or the person's name.
        box: Left, top, right, bottom in pixels of the surface.
    """

    kind: Literal["text", "face"]
    content: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A flat surface: its RGB picture and its secrets."""

    picture: Image.Image
    marks: tuple[Mark, ...] = ()


def word(rng: np.random.Generator, longest: int) -> str:
    """Return a random word or number of at most `longest` (>= 4) characters.

    Words begin with a capital, so that each is at least as high as a capital letter.
    """
    draw = float(rng.random())
    if draw < 0.16 or longest < 4:
        return f"{int(rng.integers(0, 10_000)):04d}"
    if draw < 0.22 and longest >= 6:
        return f"{int(rng.integers(0, 1_000_000)):06d}"
    fitting = [each for each in WORDS if len(each) <= longest]
    chosen = fitting[int(rng.integers(len(fitting)))]
    return chosen.upper() if rng.random() < 0.45 else chosen.capitalize()


def write_words(
    rng: np.random.Generator, picture: Image.Image, area: tuple[int, int, int, int], ink: Colour, most: int
) -> tuple[Mark, ...]:
    """Fill an area of a surface with lines of random words.

    Args:
        picture: Modified in place; its pixels are `OVERSAMPLING` times finer than the finished picture's.
        area: Left, top, right, bottom, pixels of `picture`.
        most: Maximum number of words.

    Returns:
        One mark per word; none if no word fits.
    """
    left, top, right, bottom = area
    tallest = min(CAPITALS[1] * OVERSAMPLING, (bottom - top) * 0.7)
    if tallest < CAPITALS[0] * OVERSAMPLING:
        return ()
    # Narrow surfaces use smaller letters, so that four fit in a line.
    tallest = min(tallest, max(CAPITALS[0] * OVERSAMPLING, (right - left) / 4 / _WIDTH_PER_CAPITAL))
    capital = float(rng.uniform(CAPITALS[0] * OVERSAMPLING, tallest))
    style = _style(int(rng.integers(3)), round(capital / _CAPITAL_PER_EM))
    pen = ImageDraw.Draw(picture)
    marks: list[Mark] = []
    baseline = top + capital * 1.1
    while baseline + 0.3 * capital <= bottom and len(marks) < most:
        x = float(left)
        while len(marks) < most:
            longest = int((right - x) / (capital * _WIDTH_PER_CAPITAL))
            if longest < 4:
                break
            text = word(rng, longest)
            box = pen.textbbox((x, baseline), text, font=style, anchor="ls")
            if box[2] > right:
                break
            pen.text((x, baseline), text, font=style, anchor="ls", fill=ink)
            marks.append(Mark(kind="text", content=text, box=(box[0], box[1], box[2], box[3])))
            x = box[2] + capital * 0.6
            if rng.random() < 0.25:
                break
        baseline += capital * 1.75
    return tuple(marks)


def figure(picture: Image.Image, text: str, centre: tuple[float, float], em: int, ink: Colour) -> None:
    """Draw a short text centred on a point, as on clock faces; it is not a secret."""
    ImageDraw.Draw(picture).text(centre, text, font=_style(1, em), anchor="mm", fill=ink)


@cache
def _style(kind: int, em: int) -> ImageFont.FreeTypeFont:
    name = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono-Bold.ttf")[kind]
    font = (files("matplotlib") / "mpl-data" / "fonts" / "ttf" / name).read_bytes()
    # The basic layout needs no optional library, so glyphs are placed the same everywhere.
    return ImageFont.truetype(io.BytesIO(font), em, layout_engine=ImageFont.Layout.BASIC)
