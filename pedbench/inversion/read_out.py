"""A view's pixels as a picture, with simple fillings of its hidden part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from pedbench.types import Mask, Patch, Picture, Reading, View

DEGRADED = 0.9
"""Confidence of pixels that were received in a degraded form.

Their error depends on the defense and on the picture. They count as read, as no completion knows the place better.
"""

LEAST = 0.01
"""Minimum confidence of read pixels, and that of pixels guessed from others; completions replace these."""


class ReadPatch(NamedTuple):
    """A rectangle of pixels that was read from a payload.

    Attributes:
        patch: The pixels at their place.
        confidence: How sure they are, in [0, 1].
    """

    patch: Patch
    confidence: float


def reading(view: View, read: Iterable[ReadPatch] = ()) -> Reading:
    """Paste the pixels of a view: exact ones over `read` ones over degraded ones.

    Exact pixels have confidence 1, degraded ones `DEGRADED`, and `read` ones their own, but at least `LEAST`.
    """
    picture = np.zeros((*view.frame_size, 3), np.float32)
    confidence = np.zeros(view.frame_size, np.float32)
    for patch, sure in (*(ReadPatch(patch, DEGRADED) for patch in view.degraded), *read):
        if view.in_frame([patch]):
            picture[patch.slices] = patch.picture
            confidence[patch.slices] = np.clip(sure, LEAST, 1)
    canvas, seen = view.canvas()
    picture[seen], confidence[seen] = canvas[seen], 1
    return Reading(picture=picture, confidence=confidence)


def fill_with_nearest(view: View) -> Picture:
    """Give every pixel the colour of the nearest exact pixel; the prior's mean if there is none.

    Returns:
        (H, W, 3) in [0, 1].
    """
    return nearest_known(*view.canvas(), view.prior.mean_colour)


def nearest_known(picture: Picture, known: Mask, colour: npt.NDArray[np.float32]) -> Picture:
    """Give every pixel of (H, W, 3) the colour of the nearest known one; `colour`, (3,), if there is none.

    Args:
        picture: (H, W, 3) in [0, 1].
        known: (H, W) bool.
        colour: (3,) in [0, 1].
    """
    if not known.any():
        return np.tile(colour, (*known.shape, 1)).astype(np.float32)
    rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
    nearest: Picture = picture[rows, columns]
    return nearest
