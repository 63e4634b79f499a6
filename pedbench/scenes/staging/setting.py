"""The empty stage: camera, light, walls, floor and furniture, all of it background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pedbench.scenes.painting.assets import Colour, Split
from pedbench.scenes.painting.brush import Light
from pedbench.scenes.painting.geometry import Camera, Point3, Pose
from pedbench.scenes.painting.lettering import OVERSAMPLING
from pedbench.scenes.painting.textures import (
    DESKS,
    FLOORS,
    WALLS,
    mixed,
    scaled,
    surface_colour,
    wood_colour,
)
from pedbench.scenes.staging.backdrop import Backdrop, Top, Wall


@dataclass(frozen=True, kw_only=True)
class Setting:
    """An empty stage.

    Attributes:
        background: RGB canvas without objects.
        creases: World lines where surfaces meet, which ambient light hardly reaches.
    """

    camera: Camera
    light: Light
    background: Image.Image
    main: Top
    floor: Top | None
    shelves: tuple[Top, ...]
    walls: tuple[Wall, ...]
    creases: tuple[tuple[Point3, Point3], ...]


def desk_setting(rng: np.random.Generator, split: Split, size: tuple[int, int]) -> Setting:
    """Make a desk against a wall or in a corner, from the viewpoint of a person sitting at it.

    Args:
        size: Width and height of the finished picture, pixels.
    """
    camera = _camera(rng, size, height=(0.42, 0.66), pitch=(11.0, 24.0), focal=(0.9, 1.15))
    room = Pose(origin=(0.0, 0.0, float(rng.uniform(1.25, 1.65)))).yawed(_yaw(rng))
    painter = Backdrop(camera, _light(rng), split, rng)
    wall_colour, floor_colour = surface_colour(rng), surface_colour(rng)
    wood = rng.random() < 0.65
    desk_colour = _unlike(rng, wall_colour, wood)
    half = float(rng.uniform(0.75, 1.3))
    depth = float(rng.uniform(0.75, 1.0))
    level = painter.surface(wall_colour, WALLS, 0.08)
    painter.wall(room, level)
    painter.floor(room.moved(0.0, -0.75, 0.0), painter.surface(floor_colour, FLOORS, 0.16))
    creases = []
    if rng.random() < 0.55:
        side = 1.0 if room.away[0] < 0 else -1.0
        corner = room.moved(side * half, 0.0, 0.0)
        painter.side_wall(corner, side, level, 0.86)
        creases.append((corner.point(0.0, -0.7, 0.0), corner.point(0.0, 2.0, 0.0)))
    across, inward = (-half, half), (-depth, 0.0)
    painter.table(room, across, inward, 0.04, painter.surface(desk_colour, DESKS, 0.13))
    creases.append((room.point(-half, 0.0, 0.0), room.point(half, 0.0, 0.0)))
    shelves, fixtures = [], []
    if rng.random() < 0.2:
        x, y = float(rng.uniform(-0.6, 0.6)), float(rng.uniform(0.35, 0.5))
        painter.window(room.moved(x, y, 0.0), 0.7, 0.8)
        fixtures.append((x - 0.35, y, x + 0.35, y + 0.8))
    elif rng.random() < 0.6:
        x, y, long = (
            float(rng.uniform(-0.5, 0.5)),
            float(rng.uniform(0.36, 0.52)),
            float(rng.uniform(0.5, 1.1)),
        )
        shelves.append(painter.shelf(room.moved(x, y, 0.0), long, 0.2))
        fixtures.append((x - long / 2, y - 0.1, x + long / 2, y + 0.08))
    return Setting(
        camera=camera,
        light=painter.light,
        background=painter.image,
        main=Top(pose=room, across=across, inward=inward, colour=desk_colour),
        floor=None,
        shelves=tuple(shelves),
        walls=(_wall(room, (-1.4, 1.4), (0.05, 1.1), wall_colour, fixtures),),
        creases=tuple(creases),
    )


def room_setting(rng: np.random.Generator, split: Split, size: tuple[int, int]) -> Setting:
    """Make a room with a table, from the viewpoint of a person standing in it."""
    camera = _camera(rng, size, height=(1.4, 1.65), pitch=(12.0, 22.0), focal=(0.95, 1.2))
    room = Pose(origin=(0.0, 0.0, float(rng.uniform(3.1, 3.9)))).yawed(_yaw(rng))
    painter = Backdrop(camera, _light(rng), split, rng)
    wall_colour = surface_colour(rng)
    floor_colour = _unlike(rng, wall_colour, rng.random() < 0.5)
    level = painter.surface(wall_colour, WALLS, 0.08)
    painter.wall(room, level)
    painter.floor(room, painter.surface(floor_colour, FLOORS, 0.16))
    creases = [(room.point(-4.0, 0.0, 0.0), room.point(4.0, 0.0, 0.0))]
    side = 1.0 if room.away[0] < 0 else -1.0
    if rng.random() < 0.75:
        corner = room.moved(side * float(rng.uniform(1.3, 2.0)), 0.0, 0.0)
        painter.side_wall(corner, side, level, 0.86)
        creases.append((corner.point(0.0, 0.0, 0.0), corner.point(0.0, 3.0, 0.0)))
        creases.append((corner.point(0.0, 0.0, 0.0), corner.point(0.0, 0.0, -3.0)))
    painter.skirting(room, mixed(wall_colour, (250, 250, 248), 0.6))
    if rng.random() < 0.45:
        painter.rug(room.moved(float(rng.uniform(-0.4, 0.4)), 0.002, -1.2))
    shelves, fixtures = [], []
    if rng.random() < 0.3:
        x = float(rng.uniform(-1.2, 1.2))
        painter.window(room.moved(x, 1.0, 0.0), 1.1, 1.3)
        fixtures.append((x - 0.55, 1.0, x + 0.55, 2.3))
    elif rng.random() < 0.7:
        x, y, long = float(rng.uniform(-0.9, 0.9)), float(rng.uniform(1.3, 1.6)), float(rng.uniform(0.9, 1.5))
        shelves.append(painter.shelf(room.moved(x, y, 0.0), long, 0.28))
        fixtures.append((x - long / 2, y - 0.1, x + long / 2, y + 0.1))
    table = room.moved(
        float(rng.uniform(-0.5, 0.5)), float(rng.uniform(0.68, 0.78)), -float(rng.uniform(0.5, 0.9))
    )
    half, depth = float(rng.uniform(0.55, 0.85)), float(rng.uniform(0.36, 0.46))
    table_colour = _unlike(rng, floor_colour, rng.random() < 0.6)
    across, inward = (-half, half), (-depth, depth)
    painter.legs(table, across, inward, scaled(table_colour, 0.8))
    painter.table(table, across, inward, 0.05, painter.surface(table_colour, DESKS, 0.13))
    return Setting(
        camera=camera,
        light=painter.light,
        background=painter.image,
        main=Top(pose=table, across=across, inward=inward, colour=table_colour),
        floor=Top(pose=room, across=(-1.9, 1.9), inward=(-2.1, -0.15), colour=floor_colour),
        shelves=tuple(shelves),
        walls=(_wall(room, (-2.2, 2.2), (1.0, 2.3), wall_colour, fixtures),),
        creases=tuple(creases),
    )


def _camera(
    rng: np.random.Generator,
    size: tuple[int, int],
    *,
    height: tuple[float, float],
    pitch: tuple[float, float],
    focal: tuple[float, float],
) -> Camera:
    width, tall = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    return Camera(
        size=(width, tall),
        focal=round(float(rng.uniform(*focal)) * max(width, tall) * (0.92 if tall > width else 1.0), 3),
        height=round(float(rng.uniform(*height)), 4),
        pitch=round(float(rng.uniform(*pitch)), 2),
    )


def _light(rng: np.random.Generator) -> Light:
    x, y, z = float(rng.uniform(-0.8, 0.8)), float(rng.uniform(0.6, 1.1)), float(rng.uniform(-0.9, -0.3))
    length = math.sqrt(x * x + y * y + z * z)
    return Light(
        towards=(x / length, y / length, z / length), ambient=round(float(rng.uniform(0.45, 0.62)), 3)
    )


def _yaw(rng: np.random.Generator) -> float:
    return round(float(rng.uniform(-24.0, 24.0)), 2)


def _wall(
    pose: Pose,
    across: tuple[float, float],
    upward: tuple[float, float],
    colour: Colour,
    fixtures: Sequence[tuple[float, float, float, float]],
) -> Wall:
    return Wall(pose=pose, across=across, upward=upward, colour=colour, fixtures=tuple(fixtures))


def _unlike(rng: np.random.Generator, other: Colour, wood: bool) -> Colour:
    for _ in range(8):
        colour = wood_colour(rng) if wood else surface_colour(rng)
        if sum(abs(a - b) for a, b in zip(colour, other, strict=True)) > 110:
            return colour
    return scaled(other, 0.55 if sum(other) > 380 else 1.6)
