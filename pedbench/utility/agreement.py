"""Utility of an embedding without annotations: agreement of its masks with the undefended ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.base import Embedding
from pedbench.data.coco_masks import decode_segmentation
from pedbench.pictures.frame import Size
from pedbench.types import Instance
from pedbench.utility.prediction import Masks, predict_at
from pedbench.utility.segmentation import Row, intersection_over_union, is_cut, size_class

POINTS_PER_SIDE = 4

SMALLEST_SHARE = 0.01
"""Minimum share of the picture's area; smaller masks of the undefended model are not compared."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Masks of the undefended model at the points of a grid.

    Attributes:
        places: (N,) indices, row by row, of the grid points whose mask is large enough.
        points: (N, 2) their x, y in pixels of the original picture.
        runs: The N masks as COCO's run lengths, so that references of many pictures fit into memory.
        original: Height and width (H, W) of the original picture.
    """

    places: npt.NDArray[np.int64]
    points: npt.NDArray[np.float64]
    runs: tuple[dict[str, Any], ...]
    original: Size

    @property
    def masks(self) -> Masks:
        """(N, H, W) bool at the original resolution."""
        masks = [decode_segmentation(runs, self.original) for runs in self.runs]
        return np.stack(masks) if masks else np.zeros((0, *self.original), np.bool_)


def reference(undefended: Embedding, original: Size) -> Reference:
    """Predict the undefended model's mask at each point of a 4 x 4 grid.

    Args:
        undefended: The original network's embedding of the picture.
        original: Height and width of the original picture.
    """
    from pycocotools import mask as coco_mask

    steps = (np.arange(POINTS_PER_SIDE) + 0.5) / POINTS_PER_SIDE
    y, x = np.meshgrid(steps * original[0], steps * original[1], indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    masks = predict_at(undefended, original, points)
    large = masks.mean(axis=(1, 2)) >= SMALLEST_SHARE
    runs = [coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in masks[large]]
    return Reference(
        places=np.flatnonzero(large),
        points=points[large],
        runs=tuple({"size": list(original), "counts": code["counts"].decode("ascii")} for code in runs),
        original=original,
    )


def agreement(embedding: Embedding, target: Reference, *, frame: Size, window: int) -> list[Row]:
    """Compute the IoU of the defended mask with the undefended one, point by point.

    Args:
        embedding: The defense's embedding of the picture's frame.
        target: The picture's reference.
        frame: Height and width of the frame.
        window: Side of a window in pixels of the frame.

    Returns:
        A row for each point of the reference; `annotation` is its place in the grid, `size` that of the
        undefended mask.
    """
    if not len(target.places):
        return []
    masks, expected = predict_at(embedding, target.original, target.points), target.masks
    rows: list[Row] = []
    values = intersection_over_union(masks, expected)
    for place, mask, value in zip(target.places.tolist(), expected, values, strict=True):
        instance = Instance(id=place, category="", mask=mask, area=float(mask.sum()))
        row = Row(
            annotation=place,
            metric="agreement",
            value=value,
            size=size_class(instance.area),
            cut=is_cut(instance, frame, window),
        )
        rows.append(row)
    return rows
