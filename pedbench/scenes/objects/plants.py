"""Potted plants."""

from __future__ import annotations

from pedbench.scenes.objects.design import Design, Kit
from pedbench.scenes.objects.vessels import glaze
from pedbench.scenes.painting.assets import Colour
from pedbench.scenes.painting.brush import Brush
from pedbench.scenes.painting.geometry import Point3, Pose, along, turn
from pedbench.scenes.painting.solids_of_revolution import revolve
from pedbench.scenes.painting.textures import scaled


def plant(kit: Kit) -> Design:
    """Design a potted plant with broad or narrow leaves."""
    radius = kit.between(0.05, 0.08)
    pot_height = radius * kit.share(1.4, 2.0)
    reach = radius * kit.share(2.2, 3.4)
    leaves, breadth = int(kit.rng.integers(9, 20)), kit.share(0.16, 0.4)
    upright = kit.share(0.35, 0.9)
    pot = kit.colour((60, 120, 50))
    green = (int(kit.rng.integers(30, 100)), int(kit.rng.integers(100, 180)), int(kit.rng.integers(30, 80)))

    def paint(brush: Brush, pose: Pose) -> None:
        profile = [
            (0.0, radius * 0.7),
            (0.8 * pot_height, radius * 0.95),
            (0.82 * pot_height, radius * 1.08),
            (pot_height, radius * 1.08),
        ]
        revolve(brush, pose, profile, glaze(kit, pot), 0.25, (64, 44, 30))
        root = pose.point(0.0, pot_height, 0.0)
        for index in range(leaves):
            c, s = turn(kit.share(0, 360))
            rise = reach * (upright + kit.share(-0.3, 0.45))
            tip = along(
                root,
                (reach * 0.75 * c, pose.right),
                (max(rise, 0.1 * reach), pose.up),
                (reach * 0.5 * s, pose.away),
            )
            _leaf(brush, pose, root, tip, breadth, scaled(green, 0.6 + 0.6 * (index + 1) / leaves))

    return Design(
        category="plant", width=3 * radius, depth=3 * radius, height=pot_height + reach * upright, paint=paint
    )


def _leaf(
    brush: Brush,
    pose: Pose,
    root: Point3,
    tip: Point3,
    breadth: float,
    colour: Colour,
) -> None:
    (x0, y0), (x1, y1) = brush.camera.project(root), brush.camera.project(tip)
    dx, dy = x1 - x0, y1 - y0
    left, right = [], []
    # A leaf sags towards its tip and is broadest at its middle.
    for share, wide, sag in (
        (0.0, 0.06, 0.0),
        (0.3, 0.8, -0.07),
        (0.5, 1.0, -0.09),
        (0.75, 0.7, -0.06),
        (1.0, 0.0, 0.0),
    ):
        x, y = x0 + share * dx, y0 + share * dy + sag * abs(dx)
        half = 0.5 * breadth * wide
        left.append((x - half * dy, y + half * dx))
        right.append((x + half * dy, y - half * dx))
    middle = [(x0 + s * dx, y0 + s * dy + g * abs(dx)) for s, g in ((0.0, 0.0), (0.5, -0.09), (1.0, 0.0))]
    brush.fill([*left, *right[::-1]], colour)
    brush.fill([*left, *middle[::-1]], scaled(colour, 1.18))
