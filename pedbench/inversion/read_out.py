"""A view as a picture, with simple fillings of its hidden part."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from pedbench.types import Picture, View


def read_out(view: View) -> Picture:
    """Paste a view's pixels, exact ones over degraded ones, on the mean colour.

    Returns:
        (H, W, 3) in [0, 1].
    """
    canvas, seen = view.canvas()
    degraded, covered = view.degraded_canvas()
    picture = np.where(seen[..., None], canvas, degraded)
    known = seen | covered
    colour = picture[known].mean(axis=0, dtype=np.float64) if known.any() else view.prior.mean_colour
    return np.where(known[..., None], picture, colour).astype(np.float32)


def fill_with_nearest(view: View) -> Picture:
    """Give every pixel the colour of the nearest exact pixel; the prior's mean if there is none.

    Returns:
        (H, W, 3) in [0, 1].
    """
    canvas, seen = view.canvas()
    if not seen.any():
        return np.tile(view.prior.mean_colour, (*view.frame_size, 1)).astype(np.float32)
    rows, columns = distance_transform_edt(~seen, return_distances=False, return_indices=True)
    nearest: Picture = canvas[rows, columns]
    return nearest
