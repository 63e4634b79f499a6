"""A view as a picture, taken for what it shows, and simple ways to fill what it does not."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from pedbench.types import Picture, View


def read_out(view: View) -> Picture:
    """Paste what was received: the exact pixels above the degraded ones, the mean colour where nothing came.

    Returns:
        (H, W, 3) in [0, 1].
    """
    canvas, seen = view.canvas()
    degraded, held = view.degraded_canvas()
    picture = np.where(seen[..., None], canvas, degraded)
    known = seen | held
    colour = picture[known].mean(axis=0, dtype=np.float64) if known.any() else view.prior.mean_colour
    return np.where(known[..., None], picture, colour).astype(np.float32)


def fill_with_nearest(view: View) -> Picture:
    """Give every pixel the colour of the nearest one that was received exactly; the prior's mean if none was.

    Returns:
        (H, W, 3) in [0, 1].
    """
    canvas, seen = view.canvas()
    if not seen.any():
        return np.tile(view.prior.mean_colour, (*view.frame_size, 1)).astype(np.float32)
    rows, columns = distance_transform_edt(~seen, return_distances=False, return_indices=True)
    nearest: Picture = canvas[rows, columns]
    return nearest
