"""Walls, floors, tables and shelves: the background, painted back to front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from pedbench.scenes.painting.assets import Colour, photograph
from pedbench.scenes.painting.brush import Brush, Side, box_side, lit
from pedbench.scenes.painting.geometry import Point3, Pose, along, dot
from pedbench.scenes.painting.textures import plain, scaled, surface_colour, textured, tiled, wood_colour

_TILES = 4


@dataclass(frozen=True, kw_only=True)
class Top:
    """A level rectangle for objects to stand on.

    Attributes:
        pose: Pose at the height of the surface; its away axis points to the far edge.
        across, inward: Extents along the pose's axes, metres.
        colour: Colour of the surface.
    """

    pose: Pose
    across: tuple[float, float]
    inward: tuple[float, float]
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class Wall:
    """An upright rectangle for objects to hang on; its away axis points into the wall.

    Attributes:
        across, upward: Extents along the pose's axes, metres.
        fixtures: Left, bottom, right, top of built-in parts that must stay free.
    """

    pose: Pose
    across: tuple[float, float]
    upward: tuple[float, float]
    colour: Colour
    fixtures: tuple[tuple[float, float, float, float], ...]


class Backdrop(Brush):
    """Painter of the large surfaces, back to front, directly on the canvas."""

    def surface(self, colour: Colour, names: Sequence[str], contrast: float) -> Image.Image:
        return tiled(textured(self.rng, self.split, names, colour, contrast), _TILES)

    def wall(self, room: Pose, texture: Image.Image) -> None:
        self._plane(room, room.right, (0.0, -1.0, 0.0), texture, 4.5, 0.98, None)

    def side_wall(self, corner: Pose, side: float, texture: Image.Image, gain: float) -> None:
        area = [corner.point(0.0, y, z) for y, z in ((-0.8, 0.0), (4.0, 0.0), (4.0, -6.0), (-0.8, -6.0))]
        self._plane(corner, corner.away, (0.0, -1.0, 0.0), texture, 4.5, gain, area)

    def floor(self, ground: Pose, texture: Image.Image) -> None:
        area = [ground.point(x, 0.0, z) for x, z in ((-6.0, 0.0), (6.0, 0.0), (6.0, -6.0), (-6.0, -6.0))]
        back = along((0.0, 0.0, 0.0), (-1.0, ground.away))
        self._plane(ground.moved(0.0, 0.0, -2.0), ground.right, back, texture, 7.0, 0.95, area)

    def table(
        self,
        pose: Pose,
        across: tuple[float, float],
        inward: tuple[float, float],
        thick: float,
        texture: Image.Image,
    ) -> None:
        colour = texture.getpixel((0, 0))
        if not isinstance(colour, tuple):
            raise ValueError(f"textures are RGB pictures, this one has the mode {texture.mode}")
        sides: tuple[tuple[Side, float], ...] = (("left", 0.7), ("right", 0.7), ("front", 0.55))
        for side, gain in sides:
            edge, facing = box_side(pose, across, (-thick, 0.0), inward, side)
            centre = along(edge[0], (0.5, edge[2]), (-0.5, edge[0]))
            if dot(facing, along(centre, (-1.0, self.camera.position))) < 0:
                self.fill(
                    self.camera.outline(edge), scaled((int(colour[0]), int(colour[1]), int(colour[2])), gain)
                )
        area = [
            pose.point(x, 0.0, z)
            for x, z in (
                (across[0], inward[1]),
                (across[1], inward[1]),
                (across[1], inward[0]),
                (across[0], inward[0]),
            )
        ]
        back = along((0.0, 0.0, 0.0), (-1.0, pose.away))
        self._plane(pose.moved(0.0, 0.0, -0.5), pose.right, back, texture, 3.2, 1.0, area)

    def legs(
        self, pose: Pose, across: tuple[float, float], inward: tuple[float, float], colour: Colour
    ) -> None:
        body = plain(self.rng, colour)
        height = pose.origin[1]
        for z in (inward[1] - 0.06, inward[0] + 0.01):
            for x in (across[0] + 0.01, across[1] - 0.06):
                self.cuboid(pose, (x, x + 0.05), (-height, 0.0), (z, z + 0.05), body)

    def shelf(self, place: Pose, width: float, depth: float) -> Top:
        colour = wood_colour(self.rng) if self.rng.random() < 0.6 else (236, 234, 230)
        body = textured(self.rng, self.split, ("wood",), colour, 0.12)
        across, inward = (-width / 2, width / 2), (-depth, 0.0)
        for x in (-0.38 * width, 0.38 * width):
            bracket = plain(self.rng, scaled(colour, 0.45))
            self.cuboid(place, (x - 0.01, x + 0.01), (-0.09, -0.02), (-0.6 * depth, 0.0), bracket)
        self.cuboid(place, across, (-0.025, 0.0), inward, body)
        return Top(pose=place, across=across, inward=inward, colour=colour)

    def window(self, place: Pose, width: float, height: float) -> None:
        frame = plain(self.rng, (238, 238, 234))
        self.cuboid(place, (-width / 2, width / 2), (0.0, height), (-0.05, 0.0), frame)
        view = Image.blend(
            photograph(self.rng, self.split, (160, 120)), Image.new("RGB", (160, 120), (206, 226, 246)), 0.6
        )
        gap = 0.03 * height
        for x0, x1 in ((-width / 2 + gap, -gap / 2), (gap / 2, width / 2 - gap)):
            corners, _ = box_side(place, (x0, x1), (gap, height - gap), (-0.051, 0.0), "front")
            self.face(corners, view, 1.0)

    def skirting(self, room: Pose, colour: Colour) -> None:
        corners, _ = box_side(room, (-4.0, 4.0), (0.0, 0.09), (-0.02, 0.0), "front")
        outline = self.camera.outline(corners)
        self.fill(outline, colour)

    def rug(self, place: Pose) -> None:
        colour = surface_colour(self.rng)
        weave = textured(self.rng, self.split, ("weave", "diamonds", "bands", "stripes"), colour, 0.2)
        half, deep = float(self.rng.uniform(0.7, 1.3)), float(self.rng.uniform(0.4, 0.7))
        corners = [
            place.point(x, 0.0, z) for x, z in ((-half, deep), (half, deep), (half, -deep), (-half, -deep))
        ]
        if all(self.camera.depth(corner) > 0.5 for corner in corners):
            self.face(corners, weave, 0.95)

    def _plane(
        self,
        pose: Pose,
        across: Point3,
        down: Point3,
        texture: Image.Image,
        extent: float,
        gain: float,
        area: Sequence[Point3] | None,
    ) -> None:
        step = extent / texture.width
        origin = along(pose.origin, (-0.5 * extent, across), (-0.5 * extent, down))
        zero = (0.0, 0.0, 0.0)
        lookup = self.camera.plane(origin, along(zero, (step, across)), along(zero, (step, down)))
        width, height = self.camera.size
        outline = (
            self.camera.outline(area) if area else [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
        )
        if len(outline) < 3:
            return
        top = min(max(0, math.floor(min(y for _, y in outline))), height - 1)
        bottom = min(max(top + 1, math.ceil(max(y for _, y in outline)) + 1), height)
        a, b, c, d, e, f, g, h = lookup
        # Only the surface's rows are transformed, so the homography starts at the first of them.
        w = h * top + 1.0
        rows = tuple(v / w for v in (a, b, c + b * top, d, e, f + e * top, g, h))
        middle = texture.getpixel((0, 0))
        warped = texture.transform(
            (width, bottom - top),
            Image.Transform.PERSPECTIVE,
            rows,
            Image.Resampling.BILINEAR,
            fillcolor=middle,
        )
        stencil = Image.new("L", warped.size)
        ImageDraw.Draw(stencil).polygon([(x, y - top) for x, y in outline], fill=255)
        self.image.paste(lit(warped, gain), (0, top), stencil)
