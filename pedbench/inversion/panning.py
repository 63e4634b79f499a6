"""Requests of a camera that pans, laid over each other where their content agrees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve

from pedbench.types import Mask, Patch, Picture, View

Shift = tuple[int, int]
"""Rows and columns by which content lies further down and right in the first request's frame."""

_LEAST_OVERLAP = 512
"""Pixels that must lie over each other before their agreement means anything."""

_LARGEST_ERROR = 4 / 255
"""Root mean square difference up to which content counts as the same."""

_FRACTION = 10
"""From one request to the next the camera moves by at most this part of the frame's longest side along each axis."""


def placed_patches(view: View) -> tuple[Patch, ...]:
    """The patches of all requests at their places in the first request's frame, as far as they lie in it.

    Each request is laid where it agrees best with all that was placed before it; one that agrees nowhere is left
    out.

    Args:
        view: Of several requests of a camera that moves.
    """
    reach = max(view.frame_size) // _FRACTION
    placed = view.in_frame(view.patches)
    shift: Shift = (0, 0)
    last = 0
    for request in sorted({patch.request for patch in view.patches} - {0}):
        heard = [patch for patch in view.patches if patch.request == request]
        found = displacement(_canvas(view, placed), _canvas(view, heard), shift, reach * (request - last))
        if found is not None:
            shift, last = found, request
            placed += [part for patch in heard if (part := _moved(patch, shift, view.frame_size)) is not None]
    # Where they lie over each other, the first request is what the frame shows.
    return tuple(reversed(placed))


def displacement(
    ground: tuple[Picture, Mask], laid: tuple[Picture, Mask], near: Shift, reach: int
) -> Shift | None:
    """By how many whole pixels one canvas has to be moved to agree best with another where both hold something.

    Args:
        ground: Canvas (H, W, 3) and coverage (H, W).
        laid: The same of what is moved.
        near: Shift around which to look.
        reach: How far from it, in pixels along each axis.

    Returns:
        The shift with the least mean squared difference; None if none has enough overlap and agreement.
    """
    (one, seen), (other, held) = (
        (c.astype(np.float64) * m[..., None], m.astype(float)) for c, m in (ground, laid)
    )
    overlap = _correlated(seen, held)
    squares = _correlated(np.square(one).sum(2), held) + _correlated(seen, np.square(other).sum(2))
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
    """Sum over products, by shift of the second: (2 H - 1, 2 W - 1), no shift in the middle."""
    found: npt.NDArray[np.float64] = fftconvolve(ground, laid[::-1, ::-1])
    return found


def _canvas(view: View, patches: Iterable[Patch]) -> tuple[Picture, Mask]:
    return replace(view, patches=tuple(patches), moves=False).canvas()


def _moved(patch: Patch, shift: Shift, frame: tuple[int, int]) -> Patch | None:
    """A patch elsewhere, without what then lies beyond the frame; None if all of it does."""
    top, left = patch.top + shift[0], patch.left + shift[1]
    inside = patch.picture[max(0, -top) : max(0, frame[0] - top), max(0, -left) : max(0, frame[1] - left)]
    if not inside.size:
        return None
    return replace(patch, picture=inside, top=max(0, top), left=max(0, left))
