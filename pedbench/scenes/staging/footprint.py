"""Footprints of objects on a surface: overlap and visibility."""

from __future__ import annotations

from collections.abc import Sequence

from pedbench.scenes.objects.design import Design
from pedbench.scenes.painting.geometry import Point2, Point3, Pose


def footprint(design: Design, pose: Pose, margin: float) -> list[Point3]:
    """Return an object's rectangle on the ground, widened by a margin in metres."""
    w, d = design.width / 2 + margin, design.depth / 2 + margin
    return [pose.point(x * w, 0.0, z * d) for x, z in ((-1, -1), (1, -1), (1, 1), (-1, 1))]


def flat(point: Point3, pose: Pose) -> Point2:
    """Return a world point in the coordinates (right, away) of a pose, metres."""
    offset = [a - b for a, b in zip(point, pose.origin, strict=True)]
    return (
        sum(a * b for a, b in zip(offset, pose.right, strict=True)),
        sum(a * b for a, b in zip(offset, pose.away, strict=True)),
    )


def overlap(first: Sequence[Point2], second: Sequence[Point2]) -> bool:
    """Return whether two convex polygons share area, that is, whether no edge of either separates them."""
    for polygon in (first, second):
        for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
            nx, ny = y0 - y1, x1 - x0
            one = [nx * x + ny * y for x, y in first]
            other = [nx * x + ny * y for x, y in second]
            if max(one) <= min(other) or max(other) <= min(one):
                return False
    return True


def share_in_sight(size: tuple[int, int], points: Sequence[Point2]) -> float:
    """Return the share of the points' bounding box inside a picture of this size, all in pixels."""
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    inside = max(0.0, min(right, size[0]) - max(left, 0.0)) * max(0.0, min(bottom, size[1]) - max(top, 0.0))
    return inside / max((right - left) * (bottom - top), 1e-9)
