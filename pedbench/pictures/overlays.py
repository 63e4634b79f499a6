"""Pictures for people to look at: unknown pixels striped, masks tinted, clicks marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pedbench.types import Mask, Picture

_HATCH_LIGHT, _HATCH_DARK, _HATCH_PERIOD = 0.90, 0.82, 16


def hatched(picture: Picture, known: Mask) -> Picture:
    """Replace unknown pixels by neutral stripes.

    Args:
        picture: (H, W, 3).
        known: (H, W) bool.
    """
    rows, columns = np.indices(known.shape)
    dark = (rows + columns) % _HATCH_PERIOD < _HATCH_PERIOD // 2
    stripes = np.where(dark, _HATCH_DARK, _HATCH_LIGHT)[..., None]
    return np.where(known[..., None], picture, stripes).astype(np.float32)


def overlaid(picture: Picture, masks: Sequence[Mask], clicks: Sequence[tuple[int, int]]) -> Picture:
    """Tint and outline masks, and mark their clicks.

    Args:
        picture: (H, W, 3).
        masks: (H, W) bool each.
        clicks: x, y of one click a mask.
    """
    from scipy import ndimage

    shown = picture * 0.55 + 0.25
    for mask, colour in zip(masks, _tints(len(masks)), strict=True):
        edge = mask & ~ndimage.binary_erosion(mask)
        shown = np.where(mask[..., None], picture * 0.45 + colour * 0.55, shown)
        shown = np.where(edge[..., None], colour, shown)
    for x, y in clicks:
        rows, columns = np.indices(picture.shape[:2])
        distance = np.hypot(rows - y, columns - x)
        shown = np.where((distance <= 4.5)[..., None], 1.0, shown)
        shown = np.where((distance <= 3)[..., None], 0.1, shown)
    clipped: Picture = np.clip(shown, 0, 1).astype(np.float32)
    return clipped


def _tints(count: int) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    import seaborn as sns

    return [np.array(colour) for colour in sns.color_palette("colorblind", count)]
