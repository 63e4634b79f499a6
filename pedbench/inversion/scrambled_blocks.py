"""Recovery of pictures whose square blocks were permuted and turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pedbench.inversion.jigsaw import Order, Place, assemble
from pedbench.inversion.read_out import DEGRADED, ReadPatch
from pedbench.pictures.blocks import block_side, blocks, orient, orientations
from pedbench.pictures.windows import Tile
from pedbench.types import Patch, Picture, View

_CELLS = 4
"""Cells per side of the grid in which the detail of pictures is compared, to tell up from down."""
_LEAST_STEP = 0.01
"""Change of brightness between two pixels that is too small to matter."""


def put_blocks_in_order(view: View, rng: np.random.Generator) -> list[ReadPatch]:
    """Return the blocks of each scrambled picture of a view, as `block_scramble` makes them, at their places.

    Args:
        view: Its description states the defense's parameters `block` and `mirror`.
        rng: For the jigsaw solver.
    """
    params = view.description["params"]
    side = block_side(view.frame_size, params["block"])
    return [read for patch in view.degraded for read in _unscramble(patch, side, params["mirror"], view, rng)]


def _unscramble(
    scrambled: Patch, side: int, mirror: bool, view: View, rng: np.random.Generator
) -> list[ReadPatch]:
    tiles = blocks(view.frame_size, side)
    pieces = [scrambled.picture[tile.slices] for tile in tiles]
    places = [Place(tile.top, tile.left, tile.height, tile.width) for tile in tiles]
    order = assemble(pieces, places, rng, orientations((side, side), mirror))
    picture = _assembled(pieces, tiles, order, view.frame_size)
    confidence = np.zeros(view.frame_size, np.float32)
    for place, probability in zip(order.places, order.probability, strict=True):
        confidence[tiles[place].slices] = explained(DEGRADED, probability)
    whole = orientations(view.frame_size, mirror)
    best = max(whole, key=lambda orientation: uprightness(orient(picture, orientation), view.prior.pictures))
    picture, confidence = orient(picture, best), orient(confidence[..., None], best)[..., 0]
    return [
        ReadPatch(
            replace(scrambled, picture=picture[tile.slices], top=tile.top, left=tile.left),
            float(np.median(confidence[tile.slices])),
        )
        for tile in tiles
    ]


def _assembled(
    pieces: Sequence[Picture], tiles: Sequence[Tile], order: Order, size: tuple[int, int]
) -> Picture:
    picture = np.zeros((*size, 3), np.float32)
    for piece, place, orientation in zip(pieces, order.places, order.orientations, strict=True):
        picture[tiles[place].slices] = orient(piece, orientation)
    return picture


def explained(share: float, probability: float) -> float:
    """Return the share of variance that pixels of a probable place are expected to explain.

    In a wrong place, the squared error is twice the variance.

    Args:
        share: Share of variance that the pixels explain in their true place.
        probability: Probability of the place.
    """
    return share * probability - (1 - probability)


def uprightness(picture: Picture, known: Sequence[Picture]) -> float:
    """Return the mean correlation of a picture's detail with that of known upright pictures.

    Detail is where in the picture brightness changes from left to right and from top to bottom, and how much.

    Args:
        picture: (H, W, 3) in [0, 1].
        known: Upright pictures, (h, w, 3) each.
    """
    detail = _detail(picture)
    return float(np.mean([np.corrcoef(detail, _detail(each))[0, 1] for each in known]))


def _detail(picture: Picture) -> npt.NDArray[np.float64]:
    """Return the mean logarithm of both components of the gradient over each cell of a grid, less its mean."""
    grey = picture.mean(axis=2)
    gradient = np.stack(np.gradient(grey), axis=2)
    logarithms = np.log(np.abs(gradient) + _LEAST_STEP)
    cells = [
        cell.mean(axis=(0, 1), dtype=np.float64)
        for row in np.array_split(logarithms, _CELLS, axis=0)
        for cell in np.array_split(row, _CELLS, axis=1)
    ]
    detail: npt.NDArray[np.float64] = (np.array(cells) - np.mean(cells, axis=0)).ravel()
    return detail
