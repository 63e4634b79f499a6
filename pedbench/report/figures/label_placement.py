"""Names beside the points of a scatter plot, kept apart from each other and from the points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import cos, pi, sin

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

_FONT_SIZE = 7.5
"""Font size of the labels in typographic points."""

_DISTANCES = (9.0, 20.0, 34.0, 50.0, 70.0)
"""Tried distances between point and name, in typographic points."""

_DIRECTIONS = 16

_SAME = 2.0
"""Distance below which points lie on one another, in typographic points."""

_LEAVING = 10.0
"""How much worse a square pixel outside the axes is than one on top of another name."""


Point = tuple[float, float]
"""A place in data units."""

Segment = tuple[Point, Point]
"""A line from one point to another."""


def place_labels(
    axes: Axes, names: Sequence[str], xs: Sequence[float], ys: Sequence[float], bars: Sequence[Segment]
) -> None:
    """Write each point's name where it covers least, with a thin line to its point.

    Points that lie on one another have one label: the first one's name, and how many more there are. Greedy in the
    order of the points. The figure has to be laid out already, its limits final.

    Args:
        xs: In data units, as are `ys`.
        bars: Lines that names keep off, such as intervals.
    """
    whole = np.array([axes.get_window_extent().extents])
    pixels = axes.figure.dpi / 72
    points = axes.transData.transform(np.column_stack([xs, ys]))
    occupied = [_box(x, y, 5 * pixels, 5 * pixels) for x, y in points]
    occupied += [Bbox(np.sort(axes.transData.transform(bar), axis=0)).padded(2 * pixels) for bar in bars]
    for number, (x, y, (right, up)) in enumerate(zip(xs, ys, points, strict=True)):
        near = np.flatnonzero(np.hypot(*(points - points[number]).T) < _SAME * pixels)
        if near[0] < number:
            continue
        name = names[number] if len(near) == 1 else f"{names[number]} +{len(near) - 1}"
        measured = axes.text(x, y, name, fontsize=_FONT_SIZE, parse_math=False)
        extent = measured.get_window_extent()
        measured.remove()
        covered = np.array([other.extents for other in occupied])
        candidates = []
        for distance, step in product(_DISTANCES, range(_DIRECTIONS)):
            angle = 2 * pi * step / _DIRECTIONS
            # The centre moves so far that the name's edge, not its centre, is at the distance.
            across = (distance * pixels + extent.width / 2) * cos(angle)
            along = (distance * pixels + extent.height / 2) * sin(angle)
            box = _box(right + across, up + along, extent.width / 2, extent.height / 2)
            cost = _overlap(box, covered) + distance
            cost += _LEAVING * (box.width * box.height - _overlap(box, whole))
            candidates.append((cost, across / pixels, along / pixels, box))
        _, across, along, box = min(candidates, key=lambda candidate: candidate[0])
        occupied.append(box)
        axes.annotate(
            name,
            (x, y),
            xytext=(across, along),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=_FONT_SIZE,
            parse_math=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "0.5", "shrinkA": 0, "shrinkB": 3},
        ).set_in_layout(False)


def _box(x: float, y: float, half_width: float, half_height: float) -> Bbox:
    return Bbox.from_extents(x - half_width, y - half_height, x + half_width, y + half_height)


def _overlap(box: Bbox, others: npt.NDArray[np.float64]) -> float:
    """Return the area that a box shares with others, (N, 4) left, bottom, right, top each."""
    low = np.maximum(box.extents[:2], others[:, :2])
    high = np.minimum(box.extents[2:], others[:, 2:])
    return float(np.clip(high - low, 0, None).prod(axis=1).sum())
