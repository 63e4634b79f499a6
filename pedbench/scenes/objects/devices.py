"""Monitors, laptops, phones, tablets, keyboards and mice."""

from __future__ import annotations

from pedbench.scenes.objects.design import Design, Kit
from pedbench.scenes.painting.assets import Colour
from pedbench.scenes.painting.brush import Brush, box_side
from pedbench.scenes.painting.geometry import Pose
from pedbench.scenes.painting.printed import keys, screen
from pedbench.scenes.painting.textures import object_colour, plain, scaled

_CASES: tuple[Colour, ...] = (
    (22, 23, 26),
    (36, 36, 40),
    (200, 202, 206),
    (232, 232, 230),
    (120, 124, 130),
    (60, 62, 80),
)


def monitor(kit: Kit) -> Design:
    """Design a monitor on its stand."""
    width = kit.between(0.42, 0.68)
    panel = width * kit.share(0.55, 0.66)
    lift = kit.between(0.06, 0.12)
    case, edge = _case(kit), kit.share(0.03, 0.06)
    foot, lean = width * kit.share(0.25, 0.42), kit.share(-2, 6)
    round_foot = kit.chance(0.4)

    def paint(brush: Brush, pose: Pose) -> None:
        body = plain(brush.rng, scaled(case, 0.9))
        if round_foot:
            brush.mound(pose, [(0.0, foot / 2, foot / 3), (0.012, foot / 2, foot / 3)], case)
        else:
            brush.cuboid(pose, (-foot / 2, foot / 2), (0.0, 0.015), (-foot / 3, foot / 3), body)
        neck = 0.035 * kit.scale
        brush.cuboid(pose, (-neck, neck), (0.01, lift + 0.1), (0.0, 0.02), body)
        _slab(brush, pose.moved(0.0, lift, 0.0).tilted(lean), width, panel, 0.025, case, edge)

    return Design(category="monitor", width=width, depth=0.66 * foot, height=lift + panel, paint=paint)


def wall_screen(kit: Kit) -> Design:
    """Design a large monitor hung on a wall."""
    width = kit.between(0.55, 0.8)
    panel = width * kit.share(0.52, 0.62)
    case, edge = _case(kit), kit.share(0.02, 0.05)

    def paint(brush: Brush, pose: Pose) -> None:
        _slab(brush, pose.moved(0.0, -panel / 2, -0.05), width, panel, 0.05, case, edge)

    return Design(category="monitor", width=width, depth=0.05, height=panel, paint=paint)


def laptop(kit: Kit) -> Design:
    """Design an open laptop: base with keys, and the screen leaning back."""
    width = kit.between(0.34, 0.5)
    base, panel = width * kit.share(0.58, 0.68), width * kit.share(0.58, 0.66)
    case, lean, edge = _case(kit), kit.share(8, 26), kit.share(0.04, 0.07)
    cap = object_colour(kit.rng, [case], 60)

    def paint(brush: Brush, pose: Pose) -> None:
        deck = keys(brush.rng, case, cap)
        x = (-width / 2, width / 2)
        body = plain(brush.rng, case)
        brush.cuboid(pose, x, (0.0, 0.018), (-base / 2, base / 2), body)
        inset = width * 0.06
        corners, normal = box_side(
            pose,
            (-width / 2 + inset, width / 2 - inset),
            (0.0, 0.019),
            (-base * 0.14, base / 2 - inset),
            "top",
        )
        brush.face(corners, deck, brush.light.gain(normal))
        corners, normal = box_side(
            pose, (-width * 0.12, width * 0.12), (0.0, 0.019), (-base * 0.44, -base * 0.2), "top"
        )
        brush.face(corners, plain(brush.rng, scaled(case, 0.8)), brush.light.gain(normal))
        _slab(brush, pose.moved(0.0, 0.015, base / 2).tilted(lean), width, panel, 0.012, case, edge)

    return Design(category="laptop", width=width, depth=base, height=panel, paint=paint)


def phone(kit: Kit) -> Design:
    """Design a phone: lying, leaning on a small stand, or upright in a holder."""
    width = kit.between(0.085, 0.15)
    length = width * kit.share(1.7, 2.1)
    return _handheld(kit, "phone", width, length, edge=0.07)


def tablet(kit: Kit) -> Design:
    """Design a tablet, lying or on a stand, in portrait or landscape format."""
    long, short = kit.between(0.24, 0.34), kit.between(0.18, 0.23)
    width, length = (long, short) if kit.chance(0.6) else (short, long)
    return _handheld(kit, "tablet", width, length, edge=0.08)


def keyboard(kit: Kit) -> Design:
    """Design a keyboard with coloured or grey keys."""
    width = kit.between(0.28, 0.46)
    depth = width * kit.share(0.32, 0.4)
    base = kit.colour()
    cap = object_colour(kit.rng, [base], 60)

    def paint(brush: Brush, pose: Pose) -> None:
        top = keys(brush.rng, base, cap)
        extents = ((-width / 2, width / 2), (0.0, 0.02 * kit.scale), (-depth / 2, depth / 2))
        brush.cuboid(pose.tilted(-3.0), *extents, plain(brush.rng, scaled(base, 0.85)), {"top": top})

    return Design(category="keyboard", width=width, depth=depth, height=0.03, paint=paint)


def mouse(kit: Kit) -> Design:
    """Design a computer mouse."""
    width = kit.between(0.06, 0.09)
    depth = width * kit.share(1.5, 1.8)
    colour = kit.colour()
    wheel = scaled(colour, 0.3 if sum(colour) > 300 else 2.5)

    def paint(brush: Brush, pose: Pose) -> None:
        h, w, d = width * 0.5, width / 2, depth / 2
        shares = ((0.0, 1.0), (0.25, 1.0), (0.5, 0.93), (0.72, 0.82), (0.88, 0.66), (1.0, 0.42))
        brush.mound(pose, [(h * up, w * out, d * out) for up, out in shares], colour, 0.25)
        wheel_pose = pose.moved(0.0, 0.0, d * 0.35)
        brush.mound(wheel_pose, [(h * 0.9, w * 0.14, d * 0.2), (h, w * 0.12, d * 0.18)], wheel)

    return Design(category="mouse", width=width, depth=depth, height=width * 0.5, paint=paint)


def _handheld(kit: Kit, category: str, width: float, length: float, edge: float) -> Design:
    case = _case(kit)
    thick = 0.012 * kit.scale
    if kit.chance(0.3):

        def lie(brush: Brush, pose: Pose) -> None:
            extents = ((-width / 2, width / 2), (0.0, thick), (-length / 2, length / 2))
            corners, _ = box_side(pose, *extents, "top")
            top = screen(brush.rng, brush.split, brush.extent(corners), case, edge)
            brush.cuboid(pose, *extents, plain(brush.rng, case), {"top": top})

        return Design(category=category, width=width, depth=length, height=thick, paint=lie)
    lean = kit.share(8, 30)

    def lean_back(brush: Brush, pose: Pose) -> None:
        foot = 0.4 * width
        brush.cuboid(
            pose,
            (-foot, foot),
            (0.0, 0.012),
            (-0.04 * kit.scale, 0.06 * kit.scale),
            plain(brush.rng, scaled(case, 0.7)),
        )
        _slab(brush, pose.moved(0.0, 0.01, 0.0).tilted(lean), width, length, thick, case, edge)

    return Design(category=category, width=width, depth=0.1 * kit.scale, height=length, paint=lean_back)


def _slab(
    brush: Brush, pose: Pose, width: float, height: float, thick: float, case: Colour, edge: float
) -> None:
    extents = ((-width / 2, width / 2), (0.0, height), (0.0, thick))
    corners, _ = box_side(pose, *extents, "front")
    lit = screen(brush.rng, brush.split, brush.extent(corners), case, edge)
    brush.cuboid(pose, *extents, plain(brush.rng, case))
    # A screen is lit by itself.
    brush.face(corners, lit, 1.0)


def _case(kit: Kit) -> Colour:
    return (
        object_colour(kit.rng, kit.avoid, 60)
        if kit.chance(0.3)
        else _CASES[int(kit.rng.integers(len(_CASES)))]
    )
