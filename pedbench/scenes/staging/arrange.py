"""Placement of objects in a setting: free places, occlusion and order of depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from pedbench.scenes.objects.design import Design
from pedbench.scenes.painting.assets import Split
from pedbench.scenes.painting.brush import Brush, Spot
from pedbench.scenes.painting.geometry import Point2, Point3, Pose
from pedbench.scenes.staging.backdrop import Top, Wall
from pedbench.scenes.staging.footprint import flat, footprint, overlap, share_in_sight
from pedbench.scenes.staging.setting import Setting

COARSE = 8
"""Canvas pixels per cell of the coarse masks that predict occlusion."""

_LEAST_SEEN = 0.42
_LEAST_AREA = 40 * 4  # canvas pixels
_MOST_OF_CANVAS = 0.2
_BEHIND_ALL = 1000.0


@dataclass(frozen=True, kw_only=True)
class Item:
    """A placed and painted object.

    Attributes:
        image, mask: RGB and L crops of the canvas.
        corner: Left and top of the crops in the canvas; even numbers.
        nearness: Order of depth: smaller is nearer and hides larger.
        pose: Pose in the world.
        shadow: Its footprint and the footprint's shadow, as world polygons.
        stuck: Whether it lies on another object and casts its shadow there.
        coarse: Its unoccluded mask on a coarse grid.
    """

    design: Design
    image: Image.Image
    mask: Image.Image
    corner: tuple[int, int]
    nearness: float
    pose: Pose
    spots: tuple[Spot, ...]
    shadow: tuple[tuple[Point3, ...], ...]
    stuck: bool
    coarse: npt.NDArray[np.bool_]


@dataclass(kw_only=True)
class Arrangement:
    """A setting and the items placed in it."""

    setting: Setting
    split: Split
    rng: np.random.Generator
    items: list[Item] = field(default_factory=list)
    _occupied: list[tuple[object, list[Point2]]] = field(default_factory=list)

    def keep_clear(self, floor: Top, table: Top) -> None:
        """Reserve the floor under and behind the table, which is background and cannot hide objects."""
        eye_x, eye_z = flat(self.setting.camera.position, floor.pose)
        corners = [
            flat(table.pose.point(x, 0.0, z), floor.pose)
            for x, z in (
                (table.across[0], table.inward[0]),
                (table.across[1], table.inward[0]),
                (table.across[1], table.inward[1]),
                (table.across[0], table.inward[1]),
            )
        ]
        left = min(corners, key=lambda point: (point[0] - eye_x) / (point[1] - eye_z))
        right = max(corners, key=lambda point: (point[0] - eye_x) / (point[1] - eye_z))
        far = [(x + 2 * (x - eye_x), z + 2 * (z - eye_z)) for x, z in (right, left)]
        self._occupied += [(floor, corners), (floor, [left, right, *far])]

    def stand(self, design: Design, top: Top, yaw: tuple[float, float], tries: int = 10) -> Item | None:
        """Place an object on a surface at a random free place, often in front of another.

        Args:
            yaw: Range of its rotation relative to the viewer's direction, degrees.
        """
        others = [item for item in self.items if item.pose.origin[1] == top.pose.origin[1]]
        for _ in range(tries):
            half_x, half_z = design.width / 2, design.depth / 2
            x = float(
                self.rng.uniform(top.across[0] + half_x, max(top.across[0] + half_x, top.across[1] - half_x))
            )
            z = float(
                self.rng.uniform(top.inward[0] + half_z, max(top.inward[0] + half_z, top.inward[1] - half_z))
            )
            pose = top.pose.moved(x, 0.0, z)
            if others and self.rng.random() < 0.82:
                pose = self._in_front(others[int(self.rng.integers(len(others)))], design, top)
            item = self.put(design, self._facing(pose, yaw), top)
            if item:
                return item
        return None

    def put(self, design: Design, pose: Pose, top: Top) -> Item | None:
        """Place an object at a pose if it fits on the surface, is in sight and hides no object too much."""
        ground = [flat(point, top.pose) for point in footprint(design, pose, 0.004)]
        if any(
            not (
                top.across[0] - 0.02 <= x <= top.across[1] + 0.02
                and top.inward[0] - 0.02 <= z <= top.inward[1] + 0.02
            )
            for x, z in ground
        ):
            return None
        if any(surface is top and overlap(ground, other) for surface, other in self._occupied):
            return None
        item = self._offer(design, pose, self.setting.camera.depth(pose.origin), stuck=False)
        if item:
            self._occupied.append((top, ground))
        return item

    def hang(self, design: Design, wall: Wall, tries: int = 14) -> Item | None:
        """Hang an object on a wall at a random free place."""
        built_in = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in wall.fixtures]
        for _ in range(tries):
            x = float(self.rng.uniform(*wall.across))
            y = float(self.rng.uniform(wall.upward[0] + design.height / 2, wall.upward[1]))
            half_x, half_y = design.width / 2 + 0.02, design.height / 2 + 0.02
            area = [
                (x - half_x, y - half_y),
                (x + half_x, y - half_y),
                (x + half_x, y + half_y),
                (x - half_x, y + half_y),
            ]
            occupied = [*built_in, *(other for surface, other in self._occupied if surface is wall)]
            if any(overlap(area, other) for other in occupied):
                continue
            item = self._offer(design, wall.pose.moved(x, y, 0.0), _BEHIND_ALL, stuck=False)
            if item:
                self._occupied.append((wall, area))
                return item
        return None

    def attach(self, design: Design, pose: Pose, host: Item) -> Item | None:
        """Place an object on another one."""
        return self._offer(design, pose, host.nearness - 0.001, stuck=True)

    def _in_front(self, other: Item, design: Design, top: Top) -> Pose:
        x, z = flat(other.pose.origin, top.pose)
        gap = (
            other.design.depth / 2
            + design.depth / 2
            + float(self.rng.uniform(0.01, 0.12)) * (1 + design.width)
        )
        reach = (other.design.width + design.width) / 2
        return top.pose.moved(x + float(self.rng.uniform(-0.8, 0.8)) * reach, 0.0, z - gap)

    def _facing(self, pose: Pose, yaw: tuple[float, float]) -> Pose:
        x, _, z = pose.origin
        towards = -0.6 * math.degrees(math.atan2(x, max(z, 0.1))) + float(self.rng.uniform(*yaw))
        return Pose(origin=pose.origin).yawed(round(towards, 3))

    def _offer(self, design: Design, pose: Pose, nearness: float, stuck: bool) -> Item | None:
        camera = self.setting.camera
        hanging = nearness == _BEHIND_ALL or (stuck and design.category == "note")
        low = -design.height / 2 if hanging else 0.0
        corners = [
            pose.point(x * design.width / 2, low + y * design.height, z * design.depth / 2)
            for x in (-1, 1)
            for y in (0, 1)
            for z in (-1, 1)
        ]
        if min(camera.depth(corner) for corner in corners) < 0.3 or share_in_sight(
            camera.size, [camera.project(c) for c in corners]
        ) < (0.8 if hanging else 0.6):
            return None
        brush = Brush(camera, self.setting.light, self.split, self.rng)
        design.paint(brush, pose)
        box = brush.mask.getbbox()
        if box is None:
            return None
        left, top = box[0] // 2 * 2, box[1] // 2 * 2
        box = (
            left,
            top,
            min(camera.size[0], (box[2] + 1) // 2 * 2),
            min(camera.size[1], (box[3] + 1) // 2 * 2),
        )
        mask = brush.mask.crop(box)
        if not _LEAST_AREA <= mask.histogram()[255] <= _MOST_OF_CANVAS * camera.size[0] * camera.size[1]:
            return None
        item = Item(
            design=design,
            image=brush.image.crop(box),
            mask=mask,
            corner=(left, top),
            nearness=nearness,
            pose=pose,
            spots=tuple(brush.spots),
            shadow=() if stuck else self._shadow(design, pose, nearness == _BEHIND_ALL),
            stuck=stuck,
            coarse=np.asarray(brush.mask.reduce(COARSE)) >= 128,
        )
        if not self._tolerable([*self.items, item]):
            return None
        self.items.append(item)
        return item

    def _tolerable(self, items: Sequence[Item]) -> bool:
        covered = np.zeros_like(items[0].coarse)
        for item in sorted(items, key=lambda each: each.nearness):
            total = int(item.coarse.sum())
            least = 0.6 if item.spots else _LEAST_SEEN
            if total and int((item.coarse & ~covered).sum()) < least * total:
                return False
            covered |= item.coarse
        return True

    def _shadow(self, design: Design, pose: Pose, on_wall: bool) -> tuple[tuple[Point3, ...], ...]:
        x, y, z = self.setting.light.towards
        w, h = design.width / 2, design.height / 2
        if on_wall:
            right, down = -0.03 * x, -0.03 * y
            return (
                tuple(
                    pose.point(sx * w + right, sy * h + down, 0.0)
                    for sx, sy in ((-1, 1), (1, 1), (1, -1), (-1, -1))
                ),
            )
        foot = footprint(design, pose, 0.0)
        reach = 0.55 * min(design.height, 0.5 * (1 + design.width)) / y
        cast = [(px - x * reach, py, pz - z * reach) for px, py, pz in foot]
        between = [(0.5 * (a[0] + b[0]), a[1], 0.5 * (a[2] + b[2])) for a, b in zip(foot, cast, strict=True)]
        return tuple(foot), tuple(between), tuple(cast)
