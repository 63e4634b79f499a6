"""Pieces of a view to read in: each patch alone, and those that touch stitched together, large enough to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pedbench.base import MARGIN, Claim
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.types import Mask, Patch, Picture, View


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of the frame.

    Attributes:
        picture: (h, w, 3) in [0, 1].
        top: First row in the frame.
        left: First column in the frame.
    """

    picture: Picture
    top: int
    left: int


def pieces(view: View) -> Iterator[Piece]:
    """Each patch alone, then those that touch along an edge stitched together where that makes something new.

    Patches lie where their sender says. Exact and degraded ones are never stitched to each other.
    """
    for patches, (canvas, coverage) in (
        (view.patches, view.canvas()),
        (view.degraded, view.degraded_canvas()),
    ):
        for patch in patches:
            yield Piece(picture=patch.picture, top=patch.top, left=patch.left)
        alone = {_place(patch) for patch in patches}
        for piece in _stitched(canvas, coverage):
            if _place(piece) not in alone:
                yield piece


def _place(part: Patch | Piece) -> tuple[int, ...]:
    return part.top, part.left, *part.picture.shape[:2]


def _stitched(canvas: Picture, coverage: Mask) -> Iterator[Piece]:
    """The connected parts of a canvas in their bounding boxes, filled up with their mean colour."""
    from scipy import ndimage

    labels, _ = ndimage.label(coverage)
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        within = labels[place] == number
        picture = canvas[place].copy()
        picture[~within] = picture[within].mean(axis=0, dtype=np.float64)
        yield Piece(picture=picture, top=place[0].start, left=place[1].start)


@dataclass(frozen=True, kw_only=True)
class Magnified:
    """A picture made larger, and the way back.

    Attributes:
        picture: (H, W, 3) in [0, 1].
        factors: By how much width and height grew.
    """

    picture: Picture
    factors: tuple[float, float]

    def back(self, claim: Claim) -> Claim:
        """A claim about this picture as one about the original."""
        x, y, width, height = claim.box
        across, down = self.factors
        return replace(claim, box=((x - MARGIN) / across, (y - MARGIN) / down, width / across, height / down))


def magnify(picture: Picture, factor: float) -> Magnified:
    """Enlarge a picture (Lanczos, in 8 bits) and continue it on every side by its edge.

    Args:
        picture: (H, W, 3) in [0, 1].
        factor: By which it grows, at least 1.
    """
    pixels = to_uint8(picture)
    height, width = pixels.shape[:2]
    size = (round(width * factor), round(height * factor))
    large = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    padded = np.pad(large, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")
    return Magnified(picture=from_uint8(padded), factors=(size[0] / width, size[1] / height))
