"""Chairs and cushions."""

from __future__ import annotations

from pedbench.scenes.objects.design import Design, Kit
from pedbench.scenes.painting.brush import Brush, box_side
from pedbench.scenes.painting.geometry import Pose, round_outline
from pedbench.scenes.painting.textures import object_colour, patterned, plain, scaled, textured, wood_colour


def chair(kit: Kit) -> Design:
    """Design a chair of wood, plain or with a padded seat and slats or a panel as its back."""
    width, depth = kit.between(0.38, 0.5), kit.between(0.38, 0.48)
    seat, top = kit.between(0.42, 0.48), kit.between(0.8, 1.0)
    wood = kit.colour() if kit.chance(0.6) else wood_colour(kit.rng)
    pad = object_colour(kit.rng, [wood, *kit.avoid])
    slats = kit.chance(0.5)

    def paint(brush: Brush, pose: Pose) -> None:
        body, leg = plain(kit.rng, wood), 0.02 * kit.scale
        w, d = width / 2, depth / 2
        padding = (
            patterned(kit.rng, kit.split, pad, scaled(pad, 0.75)) if kit.chance(0.5) else plain(kit.rng, pad)
        )

        def post(x: float, z: float, low: float, high: float) -> None:
            brush.cuboid(pose, (x - leg, x + leg), (low, high), (z - leg, z + leg), body)

        def back() -> None:
            for x in (-w + leg, w - leg):
                post(x, d - leg, 0.0, top)
            if slats:
                for share in (0.35, 0.62, 0.9):
                    y = seat + share * (top - seat)
                    brush.cuboid(pose, (-w, w), (y - 0.035, y + 0.035), (d - 2 * leg, d), body)
            else:
                brush.cuboid(pose, (-w, w), (seat + 0.1, top), (d - 2 * leg, d), padding)

        viewer_behind = sum(a * b for a, b in zip(pose.away, brush.camera.position, strict=True)) > sum(
            a * b for a, b in zip(pose.away, pose.origin, strict=True)
        )
        if not viewer_behind:
            back()
        for x in (-w + leg, w - leg):
            post(x, -d + leg, 0.0, seat)
        brush.cuboid(pose, (-w, w), (seat - 0.03, seat), (-d, d), body)
        brush.cuboid(pose, (-w * 0.95, w * 0.95), (seat, seat + 0.03), (-d * 0.95, d * 0.95), padding)
        if viewer_behind:
            back()

    return Design(category="chair", width=width, depth=depth, height=top, paint=paint)


def cushion(kit: Kit) -> Design:
    """Design a soft cushion leaning back."""
    width = kit.between(0.2, 0.34)
    height = width * kit.share(0.7, 1.0)
    colour, lean = kit.colour(), kit.share(12, 40)
    second = object_colour(kit.rng, [colour], 50)
    square = kit.share(0.45, 0.75)

    def paint(brush: Brush, pose: Pose) -> None:
        body = (
            patterned(kit.rng, kit.split, colour, second)
            if kit.chance(0.7)
            else textured(kit.rng, kit.split, ("weave", "plaster"), colour, 0.12)
        )
        leaning = pose.tilted(lean)
        # The shell is painted from its darker rim inwards, which rounds it.
        for share, gain in ((1.0, 0.62), (0.95, 0.78), (0.87, 0.92), (0.74, 1.02), (0.52, 1.1)):
            middle = leaning.moved(0.0, height / 2, -0.12 * width * (1 - share))
            corners, _ = box_side(
                middle, (-width / 2, width / 2), (-height / 2, height / 2), (0.0, 0.0), "front"
            )
            rim = [
                middle.point(share * x * width / 2, share * y * height / 2, 0.0)
                for x, y in round_outline(square)
            ]
            brush.face(corners, body, gain, rim)

    return Design(category="cushion", width=width, depth=0.4 * height, height=height, paint=paint)
