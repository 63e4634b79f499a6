"""The camera, oriented poses in the world, and plane-to-picture homographies.

World: x to the right, y up, z away from the viewer, in metres. Picture: x to the right, y down, in pixels.
All of it is scalar arithmetic; angles pass through `turn`, which rounds, so that scenes do not depend on the
mathematics library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point2 = tuple[float, float]
Point3 = tuple[float, float, float]
Homography = tuple[float, float, float, float, float, float, float, float]
"""Coefficients (a..h) of x' = (ax + by + c) / (gx + hy + 1), y' = (dx + ey + f) / (gx + hy + 1)."""

NEAR = 0.08


def turn(degrees: float) -> tuple[float, float]:
    """Return cosine and sine of an angle in degrees, rounded to nine decimals."""
    radians = degrees * math.pi / 180.0
    return round(math.cos(radians), 9), round(math.sin(radians), 9)


def dot(a: Point3, b: Point3) -> float:
    """Return the scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def along(origin: Point3, *steps: tuple[float, Point3]) -> Point3:
    """Return the origin moved by each (length, direction)."""
    x, y, z = origin
    for length, direction in steps:
        x, y, z = x + length * direction[0], y + length * direction[1], z + length * direction[2]
    return x, y, z


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Coordinate system of an object: its origin and axes in the world.

    Attributes:
        origin: World position of the object's origin, metres.
        right, up, away: Orthonormal axes; with no rotation they are the world's x, y and z.
    """

    origin: Point3
    right: Point3 = (1.0, 0.0, 0.0)
    up: Point3 = (0.0, 1.0, 0.0)
    away: Point3 = (0.0, 0.0, 1.0)

    def point(self, right: float, up: float, away: float) -> Point3:
        """Return the world position of a point given in the object's coordinates, metres."""
        return along(self.origin, (right, self.right), (up, self.up), (away, self.away))

    def moved(self, right: float, up: float, away: float) -> Pose:
        """Return the pose with its origin moved, in the object's coordinates."""
        return Pose(origin=self.point(right, up, away), right=self.right, up=self.up, away=self.away)

    def yawed(self, degrees: float) -> Pose:
        """Return the pose turned about its up axis."""
        c, s = turn(degrees)
        zero = (0.0, 0.0, 0.0)
        return Pose(
            origin=self.origin,
            right=along(zero, (c, self.right), (s, self.away)),
            up=self.up,
            away=along(zero, (-s, self.right), (c, self.away)),
        )

    def tilted(self, degrees: float) -> Pose:
        """Return the pose turned about its right axis; a positive angle leans the top away."""
        c, s = turn(degrees)
        zero = (0.0, 0.0, 0.0)
        return Pose(
            origin=self.origin,
            right=self.right,
            up=along(zero, (c, self.up), (s, self.away)),
            away=along(zero, (-s, self.up), (c, self.away)),
        )


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera that looks along +z, pitched down.

    Attributes:
        size: Width and height of the picture, pixels.
        focal: Focal length, pixels.
        height: Height above the plane y = 0, metres.
        pitch: Degrees below the horizon.
    """

    size: tuple[int, int]
    focal: float
    height: float
    pitch: float

    @property
    def position(self) -> Point3:
        """Position of the camera in the world."""
        return 0.0, self.height, 0.0

    def view(self, point: Point3) -> Point3:
        """Return a world point as (right, down, depth) seen from the camera, metres."""
        c, s = turn(self.pitch)
        rise = point[1] - self.height
        return point[0], -(rise * c + point[2] * s), point[2] * c - rise * s

    def project(self, point: Point3) -> Point2:
        """Return the pixel position of a world point; points nearer than `NEAR` are moved to that depth."""
        x, y, z = self.view(point)
        scale = self.focal / max(z, NEAR)
        return self.size[0] / 2 + x * scale, self.size[1] / 2 + y * scale

    def depth(self, point: Point3) -> float:
        """Return the distance along the viewing direction, metres."""
        return self.view(point)[2]

    def scale(self, point: Point3) -> float:
        """Return the pixels per metre at a point."""
        return self.focal / max(self.depth(point), NEAR)

    def sine_of_elevation(self, point: Point3) -> float:
        """Return the sine of the angle at which the camera looks down on a point; negative when it looks up."""
        rise = self.height - point[1]
        return rise / math.sqrt(point[0] ** 2 + rise**2 + point[2] ** 2)

    def outline(self, points: Sequence[Point3]) -> list[Point2]:
        """Project a polygon, clipped at the depth `NEAR`; empty if all of it is nearer."""
        seen = [self.view(point) for point in points]
        kept: list[Point3] = []
        for start, end in zip(seen, [*seen[1:], seen[0]], strict=True):
            if start[2] >= NEAR:
                kept.append(start)
            if (start[2] >= NEAR) != (end[2] >= NEAR):
                t = (NEAR - start[2]) / (end[2] - start[2])
                kept.append((start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1]), NEAR))
        return [
            (self.size[0] / 2 + x * self.focal / z, self.size[1] / 2 + y * self.focal / z) for x, y, z in kept
        ]

    def plane(self, origin: Point3, across: Point3, down: Point3) -> Homography:
        """Return the homography from pixels to coordinates (s, t) of the plane origin + s * across + t * down.

        Args:
            across, down: World vectors of one unit of s and t, e.g. of one texture pixel.
        """
        (ox, oy, oz), (ax, ay, az), (dx, dy, dz) = (
            self.view(origin),
            _minus(self.view(along(origin, (1.0, across))), self.view(origin)),
            _minus(self.view(along(origin, (1.0, down))), self.view(origin)),
        )
        f, cx, cy = self.focal, self.size[0] / 2, self.size[1] / 2
        rows = [
            [f * ax + cx * az, f * dx + cx * dz, f * ox + cx * oz],
            [f * ay + cy * az, f * dy + cy * dz, f * oy + cy * oz],
            [az, dz, oz],
        ]
        return _normalised(_adjugate(rows))


def square_to_quad(quad: Sequence[Point2], width: float, height: float) -> Homography:
    """Return the homography that maps the rectangle (0, 0)..(width, height) to a quadrilateral.

    Args:
        quad: Images of the top left, top right, bottom right and bottom left corners, pixels.
    """
    return _normalised(_square_matrix(quad, width, height))


def quad_to_square(quad: Sequence[Point2], width: float, height: float) -> Homography:
    """Return the inverse of `square_to_quad`, as PIL's PERSPECTIVE transform expects it."""
    return _normalised(_adjugate(_square_matrix(quad, width, height)))


def carry(homography: Homography, point: Point2) -> Point2:
    """Apply a homography to a point."""
    a, b, c, d, e, f, g, h = homography
    x, y = point
    w = g * x + h * y + 1.0
    return (a * x + b * y + c) / w, (d * x + e * y + f) / w


def round_outline(square: float, count: int = 28) -> list[Point2]:
    """Return a closed curve between the unit circle (0) and nearly the unit square (towards 1)."""
    points = []
    for index in range(count):
        c, s = turn(index * 360.0 / count)
        reach = max(abs(c), abs(s))
        stretch = 1.0 + square * (1.0 / reach - 1.0)
        points.append((c * stretch, s * stretch))
    return points


def _square_matrix(quad: Sequence[Point2], width: float, height: float) -> list[list[float]]:
    # Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989, section 2.2.3.
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    area = dx1 * dy2 - dx2 * dy1
    if area == 0.0:
        raise ValueError(f"the quadrilateral {list(quad)} has no area; three of its corners are in line")
    g, h = (sx * dy2 - dx2 * sy) / area, (dx1 * sy - sx * dy1) / area
    return [
        [(x1 - x0 + g * x1) / width, (x3 - x0 + h * x3) / height, x0],
        [(y1 - y0 + g * y1) / width, (y3 - y0 + h * y3) / height, y0],
        [g / width, h / height, 1.0],
    ]


def _minus(a: Point3, b: Point3) -> Point3:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _adjugate(m: list[list[float]]) -> list[list[float]]:
    (a, b, c), (d, e, f), (g, h, i) = m
    return [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ]


def _normalised(m: list[list[float]]) -> Homography:
    (a, b, c), (d, e, f), (g, h, i) = m
    return a / i, b / i, c / i, d / i, e / i, f / i, g / i, h / i
