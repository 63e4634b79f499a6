"""Mugs, bottles, bowls, vases and lamps: solids of revolution."""

from __future__ import annotations

from PIL import Image

from pedbench.scenes.objects.design import Design, Kit
from pedbench.scenes.painting.assets import Colour, photograph
from pedbench.scenes.painting.brush import Brush
from pedbench.scenes.painting.geometry import Pose, along, turn
from pedbench.scenes.painting.solids_of_revolution import ball, revolve
from pedbench.scenes.painting.textures import object_colour, patterned, plain, scaled


def mug(kit: Kit) -> Design:
    """Design a mug or cup with a handle at one side."""
    radius = kit.between(0.035, 0.062)
    height = radius * kit.share(1.6, 2.6)
    waist, foot = kit.share(0.85, 1.1), kit.share(0.75, 1.0)
    colour = kit.colour()
    side = 1.0 if kit.chance(0.5) else -1.0
    drink = ((60, 32, 16), (120, 70, 30), (235, 228, 215), (40, 40, 44))[int(kit.rng.integers(4))]

    def paint(brush: Brush, pose: Pose) -> None:
        scale = brush.camera.scale(pose.origin)
        x, y = brush.camera.project(pose.point(0.0, 0.52 * height, 0.0))
        reach = radius * scale
        brush.ring((x + side * reach * 1.02, y), (reach * 0.5, height * scale * 0.29), reach * 0.2, colour)
        profile = [
            (0.0, radius * foot),
            (0.3 * height, radius * waist),
            (0.7 * height, radius * waist),
            (height, radius),
        ]
        revolve(brush, pose, profile, glaze(kit, colour), 0.5, drink)

    return Design(category="mug", width=2.6 * radius, depth=2 * radius, height=height, paint=paint)


def bottle(kit: Kit) -> Design:
    """Design a bottle with a neck, a cap and a label."""
    radius = kit.between(0.026, 0.044)
    height = radius * kit.share(5.5, 8.0)
    shoulder, neck = kit.share(0.55, 0.72), kit.share(0.28, 0.42)
    colour = kit.colour()
    cap, label = object_colour(kit.rng, [colour]), object_colour(kit.rng, [colour])

    def paint(brush: Brush, pose: Pose) -> None:
        texture = plain(kit.rng, colour).resize((64, 128))
        texture.paste(label, (0, 66, 64, 104))
        if kit.chance(0.5):
            texture.paste(photograph(kit.rng, kit.split, (40, 30)), (12, 70))
        texture.paste(cap, (0, 0, 64, 13))
        profile = [
            (0.0, radius * 0.95),
            (0.03 * height, radius),
            (shoulder * height, radius),
            ((shoulder + 0.14) * height, radius * neck),
            (0.9 * height, radius * neck),
            (0.905 * height, radius * neck * 1.2),
            (height, radius * neck * 1.2),
        ]
        revolve(brush, pose, profile, texture, 0.8, None)

    return Design(category="bottle", width=2 * radius, depth=2 * radius, height=height, paint=paint)


def bowl(kit: Kit) -> Design:
    """Design a wide bowl, empty or with fruit."""
    radius = kit.between(0.065, 0.12)
    height = radius * kit.share(0.5, 0.8)
    colour = kit.colour()
    fruit = object_colour(kit.rng, [colour])
    fruits = int(kit.rng.integers(0, 5))

    def paint(brush: Brush, pose: Pose) -> None:
        shares = ((0.0, 0.4), (0.06, 0.42), (0.3, 0.72), (0.6, 0.9), (1.0, 1.0))
        profile = [(height * up, radius * out) for up, out in shares]
        revolve(brush, pose, profile, glaze(kit, colour), 0.45, scaled(colour, 1.15))
        for index in range(fruits):
            c, s = turn(40.0 + 360.0 * index / max(fruits, 1))
            centre = pose.point(0.42 * radius * c, height * 0.98, 0.42 * radius * s)
            ball(
                brush,
                centre,
                radius * kit.share(0.32, 0.4),
                plain(kit.rng, scaled(fruit, kit.share(0.85, 1.1))),
                0.5,
            )

    return Design(category="bowl", width=2 * radius, depth=2 * radius, height=height, paint=paint)


def vase(kit: Kit) -> Design:
    """Design a vase of random outline, sometimes with flowers."""
    height = kit.between(0.15, 0.28)
    belly, throat = height * kit.share(0.2, 0.32), height * kit.share(0.09, 0.16)
    belly_at, lip = kit.share(0.3, 0.6), height * kit.share(0.12, 0.2)
    colour = kit.colour()
    petal = object_colour(kit.rng, [*kit.avoid, colour])
    stems = int(kit.rng.integers(3, 7)) if kit.chance(0.5) else 0

    def paint(brush: Brush, pose: Pose) -> None:
        for index in range(stems):
            c, s = turn(360.0 * index / stems + kit.share(0, 40))
            tip = pose.point(0.32 * height * c, height * kit.share(1.3, 1.7), 0.2 * height * s)
            brush.rod(pose.point(0.0, height * 0.95, 0.0), tip, 0.008 * kit.scale, (52, 110, 48))
            radius = height * kit.share(0.09, 0.14)
            for petals in range(5):
                pc, ps = turn(72.0 * petals)
                ball(
                    brush,
                    along(tip, (radius * 0.7 * pc, pose.right), (radius * 0.7 * ps, pose.up)),
                    radius * 0.6,
                    plain(kit.rng, petal),
                    0.1,
                )
            ball(
                brush,
                along(tip, (-radius * 0.4, pose.away)),
                radius * 0.45,
                plain(kit.rng, (240, 200, 60)),
                0.1,
            )
        profile = [
            (0.0, belly * 0.6),
            (belly_at * 0.5 * height, belly * 0.9),
            (belly_at * height, belly),
            ((belly_at + 0.2) * height, belly * 0.75),
            (0.9 * height, throat),
            (height, lip),
        ]
        revolve(brush, pose, profile, glaze(kit, colour), 0.6, (30, 26, 24))

    return Design(
        category="vase",
        width=2 * belly,
        depth=2 * belly,
        height=height * (1.6 if stems else 1.0),
        paint=paint,
    )


def lamp(kit: Kit) -> Design:
    """Design a lamp with a foot, a stem and a shade; its shade glows when it is lit."""
    height = kit.between(0.3, 0.48)
    radius = height * kit.share(0.2, 0.32)
    narrow, shade_height = kit.share(0.45, 0.9), height * kit.share(0.3, 0.42)
    metal = kit.colour()
    cloth = object_colour(kit.rng, [*kit.avoid, metal])
    lit = kit.chance(0.5)

    def paint(brush: Brush, pose: Pose) -> None:
        foot = radius * 0.62
        revolve(
            brush,
            pose,
            [(0.0, foot), (0.04 * height, foot * 0.9), (0.06 * height, foot * 0.3)],
            plain(kit.rng, metal),
            0.6,
            None,
        )
        brush.rod(
            pose.point(0.0, 0.05 * height, 0.0),
            pose.point(0.0, height - shade_height * 0.8, 0.0),
            0.022 * kit.scale,
            metal,
        )
        texture = (
            plain(kit.rng, scaled(cloth, 1.0))
            if kit.chance(0.6)
            else patterned(kit.rng, kit.split, cloth, scaled(cloth, 0.7))
        )
        if lit:
            glow = Image.new("RGB", texture.size, (255, 240, 205))
            texture = Image.blend(texture, glow, 0.55)
        shade = pose.moved(0.0, height - shade_height, 0.0)
        revolve(
            brush,
            shade,
            [(0.0, radius), (shade_height, radius * narrow)],
            texture,
            0.0,
            (255, 246, 220) if lit else scaled(cloth, 0.7),
        )

    return Design(category="lamp", width=1.5 * radius, depth=1.5 * radius, height=height, paint=paint)


def glaze(kit: Kit, colour: Colour) -> Image.Image:
    """Paint the texture of a pot's side: plain, patterned, with a band or with a picture."""
    draw = kit.share(0, 1)
    second = object_colour(kit.rng, [colour], 60)
    texture = plain(kit.rng, colour).resize((96, 96))
    if draw < 0.25:
        texture = patterned(kit.rng, kit.split, colour, second).crop((0, 0, 128, 128))
    elif draw < 0.5:
        top = int(kit.rng.integers(20, 60))
        texture.paste(second, (0, top, 96, top + int(kit.rng.integers(8, 30))))
    elif draw < 0.65:
        texture.paste(photograph(kit.rng, kit.split, (44, 44)), (26, 28))
    return texture
