"""Photographs and faces that ship inside scikit-image's wheel, split between training and validation.

Nothing is downloaded. Photographs of things are split by place (training crops come from the left part,
validation crops from the right part); faces are split by person. Faces: scikit-image's `lfw_subset`, 100
grey crops of 25 by 25 px from Labeled Faces in the Wild (UMass Amherst), and the portrait `astronaut`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

Split = Literal["train", "val"]
Colour = tuple[int, int, int]

PICTURES = (
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
RELIEFS = ("brick.png", "grass.png", "gravel.png")

# Each person belongs to one split only: every third face is for validation.
_FACES = {
    "train": [index for index in range(100) if index % 3 != 1],
    "val": [index for index in range(100) if index % 3 == 1],
}
_ASTRONAUT = "eileen_collins"
_ASTRONAUT_FACE = (173, 62, 277, 184)
_SPLIT_AT = 0.6

_TONES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((12, 12, 14), (128, 128, 130), (250, 250, 248)),
    ((40, 22, 12), (150, 112, 80), (255, 240, 214)),
    ((34, 16, 12), (178, 122, 96), (255, 226, 204)),
    ((24, 12, 10), (140, 92, 70), (246, 214, 190)),
    ((14, 18, 34), (112, 126, 150), (238, 244, 255)),
)


@dataclass(frozen=True, kw_only=True)
class Face:
    """A portrait and the box of its face.

    Attributes:
        picture: RGB, square or upright.
        name: Name of the person; equal names are the same person.
        box: Left, top, right, bottom of the face as shares of the picture's width and height.
    """

    picture: Image.Image
    name: str
    box: tuple[float, float, float, float]


def photograph(rng: np.random.Generator, split: Split, size: tuple[int, int]) -> Image.Image:
    """Return a random crop of a random photograph, RGB, resized to (width, height) pixels."""
    source = _half(PICTURES[int(rng.integers(len(PICTURES)))], split)
    aspect = size[0] / size[1]
    widest = min(float(source.width), source.height * aspect)
    width = widest * float(rng.uniform(0.55, 1.0))
    left = float(rng.uniform(0, source.width - width))
    top = float(rng.uniform(0, source.height - width / aspect))
    box = (round(left), round(top), round(left + width), round(top + width / aspect))
    crop = source.crop(box).resize(size, Image.Resampling.BILINEAR)
    return ImageOps.mirror(crop) if rng.random() < 0.5 else crop


def relief(name: str, split: Split) -> Image.Image:
    """Return the split's part of a photographed surface, grey with full contrast, at most 300 px wide."""
    return ImageOps.autocontrast(_half(name, split).convert("L"), cutoff=1)


def face(rng: np.random.Generator, split: Split) -> Face:
    """Return a random person of the split, randomly toned and mirrored, 200 px wide."""
    # The only portrait in true colour is used more often than other persons.
    if split == "train" and rng.random() < 0.08:
        picture, name, box = _astronaut(rng)
    else:
        index = _FACES[split][int(rng.integers(len(_FACES[split])))]
        black, middle, white = _TONES[int(rng.integers(len(_TONES)))]
        grey = _stranger(index)
        picture = ImageOps.colorize(grey, black=black, mid=middle, white=white)
        name, box = f"lfw_{index:03d}", (0.06, 0.03, 0.94, 0.97)
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
        box = (1 - box[2], box[1], 1 - box[0], box[3])
    return Face(picture=picture, name=name, box=box)


def _astronaut(rng: np.random.Generator) -> tuple[Image.Image, str, tuple[float, float, float, float]]:
    left, top, right, bottom = _ASTRONAUT_FACE
    x0, x1 = left - int(rng.integers(4, 40)), right + int(rng.integers(4, 40))
    y0 = top - int(rng.integers(4, 40))
    y1 = y0 + (x1 - x0) + int(rng.integers(0, 20))
    width, height = x1 - x0, y1 - y0
    box = ((left - x0) / width, (top - y0) / height, (right - x0) / width, (bottom - y0) / height)
    return _open("astronaut.png").crop((x0, y0, x1, y1)), _ASTRONAUT, box


@cache
def _stranger(index: int) -> Image.Image:
    pixels = _strangers()[index]
    picture = Image.fromarray(pixels).resize((200, 200), Image.Resampling.BICUBIC)
    return ImageOps.autocontrast(picture, cutoff=1)


@cache
def _strangers() -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    with (files("skimage") / "data" / "lfw_subset.npy").open("rb") as stream:
        values = np.load(stream)[:100]
    pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]] = (values * 255).astype(np.uint8)
    return pixels


@cache
def _half(name: str, split: Split) -> Image.Image:
    picture = _open(name)
    if name in RELIEFS or picture.width > 800:
        picture = picture.resize((512, 512 * picture.height // picture.width), Image.Resampling.BOX)
    cut = int(picture.width * _SPLIT_AT)
    return picture.crop(
        (0, 0, cut, picture.height) if split == "train" else (cut, 0, picture.width, picture.height)
    )


@cache
def _open(name: str) -> Image.Image:
    with (files("skimage") / "data" / name).open("rb") as stream:
        return Image.open(stream).convert("RGB")
