"""Painting of solids on a layer: textured quadrilaterals, boxes, rods, rings and soft mounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pedbench.scenes.painting.assets import Colour, Split
from pedbench.scenes.painting.geometry import (
    Camera,
    Point2,
    Point3,
    Pose,
    along,
    carry,
    dot,
    quad_to_square,
    round_outline,
    square_to_quad,
)
from pedbench.scenes.painting.lettering import Mark, Printed
from pedbench.scenes.painting.textures import scaled

Floats = npt.NDArray[np.float64]
Side = Literal["front", "back", "left", "right", "top"]


@dataclass(frozen=True, kw_only=True)
class Light:
    """One distant lamp and ambient light.

    Attributes:
        towards: Unit vector from the scene to the lamp.
        ambient: Brightness of a colour without the lamp, as a share.
    """

    towards: Point3
    ambient: float

    def gain(self, normal: Point3) -> float:
        """Return the factor on the colour of a surface with this normal."""
        return self.ambient + (1.12 - self.ambient) * max(0.0, dot(self.towards, normal))


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A mark on the canvas, with its four corners from the top left, clockwise."""

    mark: Mark
    corners: tuple[Point2, Point2, Point2, Point2]


class Brush:
    """Painter of one object.

    Attributes:
        image: RGB canvas, meaningful where `mask` is 255.
        mask: L canvas, 255 on the object, 0 elsewhere.
        spots: Secrets on the object.
    """

    def __init__(self, camera: Camera, light: Light, split: Split, rng: np.random.Generator) -> None:
        self.camera = camera
        self.light = light
        self.split = split
        self.rng = rng
        self.image = Image.new("RGB", camera.size)
        self.mask = Image.new("L", camera.size)
        self.spots: list[Spot] = []

    def extent(self, corners: Sequence[Point3]) -> tuple[int, int]:
        """Return the width and height of a projected quadrilateral in canvas pixels, by its longer edges."""
        a, b, c, d = (self.camera.project(corner) for corner in corners)
        width, height = max(_gap(a, b), _gap(d, c)), max(_gap(a, d), _gap(b, c))
        return max(8, round(width)), max(8, round(height))

    def fill(self, points: Sequence[Point2], colour: Colour) -> None:
        """Paint a polygon given in canvas pixels."""
        if len(points) >= 3:
            ImageDraw.Draw(self.image).polygon(points, fill=colour)
            ImageDraw.Draw(self.mask).polygon(points, fill=255)

    def patch(self, points: Sequence[Point3], colour: Colour, normal: Point3) -> None:
        """Paint a flat polygon of the world."""
        self.fill(self.camera.outline(points), scaled(colour, self.light.gain(normal)))

    def face(
        self,
        corners: Sequence[Point3],
        surface: Printed | Image.Image,
        gain: float,
        outline: Sequence[Point3] | None = None,
    ) -> None:
        """Paint a textured quadrilateral in perspective.

        Args:
            corners: Top left, top right, bottom right and bottom left of the surface.
            gain: Factor on the surface's colours.
            outline: A polygon in the same plane that bounds the painting; by default the quadrilateral.
        """
        printed = Printed(picture=surface) if isinstance(surface, Image.Image) else surface
        quad = [self.camera.project(corner) for corner in corners]
        area = [self.camera.project(point) for point in outline] if outline else quad
        box = _inside(area, self.camera.size)
        if box is None or _twice_area(quad) < 2.0:
            return
        left, top, right, bottom = box
        picture = printed.picture
        width, height = self.extent(corners)
        if picture.width > 1.5 * width or picture.height > 1.5 * height:
            shrunk = (min(picture.width, width), min(picture.height, height))
            picture = picture.resize(shrunk, Image.Resampling.BILINEAR)
        shifted = [(x - left, y - top) for x, y in quad]
        warped = picture.transform(
            (right - left, bottom - top),
            Image.Transform.PERSPECTIVE,
            quad_to_square(shifted, picture.width, picture.height),
            Image.Resampling.BILINEAR,
            fillcolor=picture.getpixel((picture.width // 2, picture.height - 1)),
        )
        stencil = Image.new("L", warped.size)
        ImageDraw.Draw(stencil).polygon([(x - left, y - top) for x, y in area], fill=255)
        self.image.paste(lit(warped, gain), (left, top), stencil)
        self.mask.paste(255, box, stencil)
        onto = square_to_quad(quad, printed.picture.width, printed.picture.height)
        for mark in printed.marks:
            x0, y0, x1, y1 = mark.box
            a, b, c, d = (carry(onto, point) for point in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
            self.spots.append(Spot(mark=mark, corners=(a, b, c, d)))

    def cuboid(
        self,
        pose: Pose,
        across: tuple[float, float],
        upward: tuple[float, float],
        inward: tuple[float, float],
        body: Image.Image,
        special: Mapping[Side, Printed | Image.Image] | None = None,
    ) -> None:
        """Paint the visible sides of a box given by its extents along the pose's axes, metres.

        Args:
            body: Texture of all sides that are not in `special`.
        """
        for side in ("back", "left", "right", "top", "front"):
            corners, normal = box_side(pose, across, upward, inward, side)
            centre = along(corners[0], (0.5, corners[2]), (-0.5, corners[0]))
            if dot(normal, along(centre, (-1.0, self.camera.position))) < 0:
                self.face(corners, (special or {}).get(side, body), self.light.gain(normal))

    def rod(self, start: Point3, end: Point3, thickness: float, colour: Colour) -> None:
        """Paint a round bar between two points of the world; `thickness` in metres."""
        (x0, y0), (x1, y1) = self.camera.project(start), self.camera.project(end)
        length = max(_gap((x0, y0), (x1, y1)), 1e-6)
        across = (-(y1 - y0) / length, (x1 - x0) / length)
        r0 = max(0.5 * thickness * self.camera.scale(start), 1.5)
        r1 = max(0.5 * thickness * self.camera.scale(end), 1.5)
        facing = -1.0 if across[0] * self.light.towards[0] - across[1] * self.light.towards[1] > 0 else 1.0
        for low, high, gain in ((-1.0, 1.0, 0.95), (0.2, 1.0, 0.65), (-0.75, -0.3, 1.25)):
            ends = []
            for x, y, r, share in (
                (x0, y0, r0, low),
                (x0, y0, r0, high),
                (x1, y1, r1, high),
                (x1, y1, r1, low),
            ):
                ends.append((x + across[0] * r * share * facing, y + across[1] * r * share * facing))
            self.fill(ends, scaled(colour, gain))

    def ring(self, centre: Point2, radii: Point2, width: float, colour: Colour) -> None:
        """Paint a ring that faces the viewer, all in canvas pixels."""
        (x, y), (rx, ry) = centre, radii
        box = [x - rx, y - ry, x + rx, y + ry]
        stroke = max(2, round(width))
        ImageDraw.Draw(self.image).ellipse(box, outline=scaled(colour, 0.75), width=stroke)
        ImageDraw.Draw(self.mask).ellipse(box, outline=255, width=stroke)
        if stroke > 4:
            ImageDraw.Draw(self.image).ellipse(
                [v + 1 for v in box[:2]] + [v - 1 for v in box[2:]], outline=colour, width=stroke // 2
            )

    def mound(
        self, pose: Pose, levels: Sequence[tuple[float, float, float]], colour: Colour, square: float = 0.0
    ) -> None:
        """Paint a soft solid from its horizontal sections, bottom first.

        Args:
            levels: Height, half width and half depth of each section, metres.
            square: 0 for oval sections, towards 1 for rectangular ones with round corners.
        """
        for index, (height, half_width, half_depth) in enumerate(levels):
            share = (index + 1) / len(levels)
            points = [pose.point(half_width * x, height, half_depth * y) for x, y in round_outline(square)]
            gain = self.light.ambient * 0.75 + (1.15 - self.light.ambient * 0.75) * share
            self.fill(self.camera.outline(points), scaled(colour, gain))


def box_side(
    pose: Pose,
    across: tuple[float, float],
    upward: tuple[float, float],
    inward: tuple[float, float],
    side: Side,
) -> tuple[list[Point3], Point3]:
    """Return the corners of a box's side, seen from outside clockwise from the top left, and its normal."""
    (x0, x1), (y0, y1), (z0, z1) = across, upward, inward
    table: dict[Side, tuple[tuple[tuple[float, float, float], ...], tuple[float, Point3]]] = {
        "front": (((x0, y1, z0), (x1, y1, z0), (x1, y0, z0), (x0, y0, z0)), (-1.0, pose.away)),
        "back": (((x1, y1, z1), (x0, y1, z1), (x0, y0, z1), (x1, y0, z1)), (1.0, pose.away)),
        "left": (((x0, y1, z1), (x0, y1, z0), (x0, y0, z0), (x0, y0, z1)), (-1.0, pose.right)),
        "right": (((x1, y1, z0), (x1, y1, z1), (x1, y0, z1), (x1, y0, z0)), (1.0, pose.right)),
        "top": (((x0, y1, z1), (x1, y1, z1), (x1, y1, z0), (x0, y1, z0)), (1.0, pose.up)),
    }
    corners, (sign, axis) = table[side]
    return [pose.point(*corner) for corner in corners], along((0.0, 0.0, 0.0), (sign, axis))


def lit(picture: Image.Image, gain: float) -> Image.Image:
    """Multiply a picture's colours, clipped at white."""
    return Image.blend(Image.new("RGB", picture.size), picture, gain)


def _gap(a: Point2, b: Point2) -> float:
    return math.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2)


def _twice_area(quad: Sequence[Point2]) -> float:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad
    return abs((x2 - x0) * (y3 - y1) - (x3 - x1) * (y2 - y0))


def _inside(points: Sequence[Point2], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    left = max(0, math.floor(min(x for x, _ in points)))
    top = max(0, math.floor(min(y for _, y in points)))
    right = min(size[0], math.ceil(max(x for x, _ in points)) + 1)
    bottom = min(size[1], math.ceil(max(y for _, y in points)) + 1)
    return (left, top, right, bottom) if right > left and bottom > top else None
