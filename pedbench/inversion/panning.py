"""Registration of the requests of a panning camera by their content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve

from pedbench.types import Mask, Patch, Picture, View

Shift = tuple[int, int]
"""Displacement of content down and right in the first request's frame, in pixels."""

_LEAST_OVERLAP = 512
"""Minimum pixels of overlap for a comparison."""

_LARGEST_ERROR = 4 / 255
"""Largest root mean square difference of matching content."""

_FRACTION = 10
"""Divisor of the frame's longest side: largest motion between two requests along each axis."""


def placed_patches(view: View) -> tuple[Patch, ...]:
    """Return the patches of all requests at their places in the first request's frame, cropped to it.

    Each request is placed where it matches the content placed before it best; a request without a match is
    skipped.

    Args:
        view: View of several requests of a moving camera.
    """
    reach = max(view.frame_size) // _FRACTION
    placed = view.in_frame(view.patches)
    shift: Shift = (0, 0)
    last = 0
    for request in sorted({patch.request for patch in view.patches} - {0}):
        new = [patch for patch in view.patches if patch.request == request]
        found = displacement(_canvas(view, placed), _canvas(view, new), shift, reach * (request - last))
        if found is not None:
            shift, last = found, request
            placed += [part for patch in new if (part := _moved(patch, shift, view.frame_size)) is not None]
    # Later patches cover earlier ones, and the first request is the truth.
    return tuple(reversed(placed))


def displacement(
    ground: tuple[Picture, Mask], laid: tuple[Picture, Mask], near: Shift, reach: int
) -> Shift | None:
    """Find the shift in whole pixels that matches one canvas best with another where both are covered.

    Args:
        ground: Canvas (H, W, 3) and coverage (H, W).
        laid: Canvas and coverage to shift.
        near: Centre of the search.
        reach: Radius of the search in pixels along each axis.

    Returns:
        The shift with the least mean squared difference; None if none has enough overlap and agreement.
    """
    (one, seen), (other, covered) = (
        (c.astype(np.float64) * m[..., None], m.astype(float)) for c, m in (ground, laid)
    )
    overlap = _correlated(seen, covered)
    squares = _correlated(np.square(one).sum(2), covered) + _correlated(seen, np.square(other).sum(2))
    squares -= 2 * sum(_correlated(one[..., channel], other[..., channel]) for channel in range(3))
    error = np.where(overlap > _LEAST_OVERLAP - 0.5, squares / np.maximum(3 * overlap, 1), np.inf)
    rows, columns = (np.arange(length) - length // 2 for length in error.shape)
    error[np.abs(rows - near[0]) > reach] = np.inf
    error[:, np.abs(columns - near[1]) > reach] = np.inf
    row, column = np.unravel_index(error.argmin(), error.shape)
    if error[row, column] > _LARGEST_ERROR**2:
        return None
    return int(rows[row]), int(columns[column])


def _correlated(ground: npt.NDArray[np.float64], laid: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the cross-correlation (2 H - 1, 2 W - 1) by shift of the second; the middle is no shift."""
    sums: npt.NDArray[np.float64] = fftconvolve(ground, laid[::-1, ::-1])
    return sums


def _canvas(view: View, patches: Iterable[Patch]) -> tuple[Picture, Mask]:
    return replace(view, patches=tuple(patches), moves=False).canvas()


def _moved(patch: Patch, shift: Shift, frame: tuple[int, int]) -> Patch | None:
    """Shift a patch and crop it to the frame; None if nothing is left."""
    top, left = patch.top + shift[0], patch.left + shift[1]
    inside = patch.picture[max(0, -top) : max(0, frame[0] - top), max(0, -left) : max(0, frame[1] - left)]
    if not inside.size:
        return None
    return replace(patch, picture=inside, top=max(0, top), left=max(0, left))
