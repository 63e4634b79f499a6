"""Books, boxes, notes, frames, clocks and balls."""

from __future__ import annotations

from PIL import Image

from pedbench.scenes.objects.design import Design, Kit
from pedbench.scenes.painting.assets import photograph
from pedbench.scenes.painting.brush import Brush, box_side
from pedbench.scenes.painting.geometry import Pose, round_outline
from pedbench.scenes.painting.lettering import Printed
from pedbench.scenes.painting.printed import cover, dial, framed, note
from pedbench.scenes.painting.solids_of_revolution import ball
from pedbench.scenes.painting.textures import mixed, object_colour, patterned, plain, scaled, wood_colour


def book(kit: Kit) -> Design:
    """Design a closed book, lying or standing upright with its spine to the viewer."""
    width = kit.between(0.12, 0.2)
    length, thick = width * kit.share(1.2, 1.5), kit.between(0.02, 0.05)
    colour = kit.colour()
    if kit.chance(0.55):

        def lie(brush: Brush, pose: Pose) -> None:
            extents = ((-width / 2, width / 2), (0.0, thick), (-length / 2, length / 2))
            corners, _ = box_side(pose, *extents, "top")
            top = cover(brush.rng, brush.split, brush.extent(corners), colour)
            pages = _pages()
            brush.cuboid(
                pose, *extents, plain(brush.rng, colour), {"top": top, "front": pages, "right": pages}
            )

        return Design(category="book", width=width, depth=length, height=thick, paint=lie)

    def stand(brush: Brush, pose: Pose) -> None:
        extents = ((-thick / 2, thick / 2), (0.0, length), (-width / 2, width / 2))
        spine = plain(brush.rng, colour).resize((24, 96))
        spine.paste(object_colour(brush.rng, [colour]), (3, 14, 21, 40))
        spine.paste(scaled(colour, 0.6), (0, 84, 24, 88))
        side = cover(brush.rng, brush.split, (80, 110), colour)
        brush.cuboid(
            pose,
            *extents,
            plain(brush.rng, colour),
            {"front": spine, "top": _pages(), "left": side, "right": side},
        )

    return Design(category="book", width=thick, depth=width, height=length, paint=stand)


def box(kit: Kit) -> Design:
    """Design a cardboard or patterned box, with tape or a lid."""
    width, depth, height = kit.between(0.1, 0.24), kit.between(0.08, 0.2), kit.between(0.06, 0.2)
    card = kit.chance(0.4)
    colour = (176, 134, 88) if card else kit.colour()
    second = object_colour(kit.rng, [colour])

    def paint(brush: Brush, pose: Pose) -> None:
        body = plain(kit.rng, colour).resize((96, 96))
        if card:
            body.paste(mixed(colour, (235, 220, 190), 0.6), (42, 0, 54, 96))
        elif kit.chance(0.5):
            body = patterned(kit.rng, kit.split, colour, second)
        else:
            body.paste(photograph(kit.rng, kit.split, (56, 56)), (20, 20))
        x, z = (-width / 2, width / 2), (-depth / 2, depth / 2)
        brush.cuboid(pose, x, (0.0, height), z, body)
        if not card:
            rim = 0.006 * kit.scale
            lid = plain(kit.rng, second)
            brush.cuboid(
                pose, (x[0] - rim, x[1] + rim), (0.8 * height, height + rim), (z[0] - rim, z[1] + rim), lid
            )

    return Design(category="box", width=width, depth=depth, height=height, paint=paint)


def paper_note(kit: Kit) -> Design:
    """Design a note that sticks flat on an upright surface; the pose's origin is its centre."""
    width = kit.between(0.1, 0.2)
    height = width * kit.share(0.55, 1.05)
    paper = _paper(kit)
    swing = kit.share(-5, 5)

    def paint(brush: Brush, pose: Pose) -> None:
        corners, _ = box_side(
            _swung(pose, swing), (-width / 2, width / 2), (-height / 2, height / 2), (-0.004, 0.0), "front"
        )
        brush.face(corners, note(brush.rng, brush.extent(corners), paper), 1.0)

    return Design(category="note", width=width, depth=0.004, height=height, paint=paint)


def desk_note(kit: Kit) -> Design:
    """Design a note or a sheet lying on a desk."""
    width = kit.between(0.13, 0.25)
    depth = width * kit.share(0.7, 1.2)
    paper = _paper(kit)

    def paint(brush: Brush, pose: Pose) -> None:
        corners, normal = box_side(
            pose, (-width / 2, width / 2), (0.0, 0.003), (-depth / 2, depth / 2), "top"
        )
        brush.face(corners, note(brush.rng, brush.extent(corners), paper), max(brush.light.gain(normal), 0.9))

    return Design(category="note", width=width, depth=depth, height=0.003, paint=paint)


def wall_frame(kit: Kit) -> Design:
    """Design a framed picture on a wall; the pose's origin is its centre."""
    height = kit.between(0.15, 0.3)
    width = height * kit.share(0.75, 1.2)
    rim = wood_colour(kit.rng) if kit.chance(0.4) else kit.colour()

    def paint(brush: Brush, pose: Pose) -> None:
        extents = ((-width / 2, width / 2), (-height / 2, height / 2), (-0.025, 0.0))
        _frame(brush, pose, extents, rim)

    return Design(category="picture_frame", width=width, depth=0.025, height=height, paint=paint)


def desk_frame(kit: Kit) -> Design:
    """Design a framed picture that stands, leaning back."""
    height = kit.between(0.14, 0.22)
    width = height * kit.share(0.75, 1.15)
    rim = wood_colour(kit.rng) if kit.chance(0.4) else kit.colour()
    lean = kit.share(8, 18)

    def paint(brush: Brush, pose: Pose) -> None:
        _frame(brush, pose.tilted(lean), ((-width / 2, width / 2), (0.0, height), (0.0, 0.02)), rim)

    return Design(category="picture_frame", width=width, depth=0.1 * kit.scale, height=height, paint=paint)


def wall_clock(kit: Kit) -> Design:
    """Design a round clock on a wall; the pose's origin is its centre."""
    return _clock(kit, kit.between(0.08, 0.14), standing=False)


def desk_clock(kit: Kit) -> Design:
    """Design a small clock that stands."""
    return _clock(kit, kit.between(0.05, 0.085), standing=True)


def toy_ball(kit: Kit) -> Design:
    """Design a ball, plain, striped or patterned."""
    radius = kit.between(0.03, 0.08)
    colour = kit.colour()
    second = object_colour(kit.rng, [colour], 60)

    def paint(brush: Brush, pose: Pose) -> None:
        texture = (
            patterned(kit.rng, kit.split, colour, second).crop((0, 0, 160, 160))
            if kit.chance(0.6)
            else plain(kit.rng, colour)
        )
        ball(brush, pose.point(0.0, radius, 0.0), radius, texture, 0.6)

    return Design(category="ball", width=2 * radius, depth=2 * radius, height=2 * radius, paint=paint)


def _clock(kit: Kit, radius: float, standing: bool) -> Design:
    rim = kit.colour()
    colour = (246, 244, 238) if kit.chance(0.7) else object_colour(kit.rng, [rim])

    def paint(brush: Brush, pose: Pose) -> None:
        centre = pose.moved(0.0, radius, 0.0) if standing else pose
        edge = [centre.point(radius * x, radius * y, 0.02) for x, y in round_outline(0.0)]
        brush.patch(edge, scaled(rim, 0.6), (-centre.away[0], -centre.away[1], -centre.away[2]))
        if standing:
            foot = plain(kit.rng, scaled(rim, 0.8))
            brush.cuboid(
                pose, (-0.5 * radius, 0.5 * radius), (0.0, 0.25 * radius), (-0.01, 0.05 * kit.scale), foot
            )
        corners, _ = box_side(centre, (-radius, radius), (-radius, radius), (-0.02, 0.0), "front")
        front = [centre.point(radius * x, radius * y, -0.02) for x, y in round_outline(0.0)]
        brush.face(corners, dial(kit.rng, colour, rim), 1.0, front)

    return Design(category="clock", width=2 * radius, depth=0.06, height=2 * radius, paint=paint)


def _frame(
    brush: Brush,
    pose: Pose,
    extents: tuple[tuple[float, float], tuple[float, float], tuple[float, float]],
    rim: tuple[int, int, int],
) -> None:
    corners, _ = box_side(pose, *extents, "front")
    picture: Printed = framed(brush.rng, brush.split, brush.extent(corners), rim)
    brush.cuboid(pose, *extents, plain(brush.rng, rim))
    brush.face(corners, picture, 1.0)


def _pages() -> Image.Image:
    stack = Image.new("RGB", (8, 16), (236, 228, 208))
    for y in range(0, 16, 3):
        stack.paste((206, 196, 174), (0, y, 8, y + 1))
    return stack


def _paper(kit: Kit) -> tuple[int, int, int]:
    papers = (
        (250, 236, 120),
        (255, 196, 206),
        (178, 232, 180),
        (170, 214, 246),
        (250, 248, 240),
        (255, 206, 130),
    )
    return papers[int(kit.rng.integers(len(papers)))]


def _swung(pose: Pose, degrees: float) -> Pose:
    """Design a pose turned in its own plane."""
    level = Pose(origin=pose.origin, right=pose.right, up=pose.away, away=pose.up).yawed(degrees)
    return Pose(origin=pose.origin, right=level.right, up=level.away, away=pose.away)
