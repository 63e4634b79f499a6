"""Choice of a scene's objects and of their places on desks, shelves, floors and walls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from pedbench.scenes.objects import devices, furniture, household, plants, vessels
from pedbench.scenes.objects.design import Design, Kit
from pedbench.scenes.painting.assets import Colour, Split
from pedbench.scenes.painting.geometry import Pose
from pedbench.scenes.staging.arrange import Arrangement, Item
from pedbench.scenes.staging.backdrop import Top
from pedbench.scenes.staging.setting import desk_setting, room_setting

Designer = Callable[[Kit], Design]

CATEGORIES = (
    "ball", "book", "bottle", "bowl", "box", "chair", "clock", "cushion", "keyboard", "lamp", "laptop",
    "monitor", "mouse", "mug", "note", "phone", "picture_frame", "plant", "tablet", "vase",
)  # fmt: skip

_SMALL: tuple[tuple[Designer, float, float], ...] = (
    # designer, weight, maximum turn (degrees)
    (vessels.mug, 1.5, 0),
    (vessels.bottle, 1.3, 0),
    (vessels.bowl, 0.9, 0),
    (vessels.vase, 0.8, 0),
    (plants.plant, 1.0, 0),
    (household.book, 1.8, 35),
    (household.box, 1.0, 40),
    (household.toy_ball, 1.3, 0),
    (household.desk_clock, 0.9, 25),
    (household.desk_frame, 1.0, 14),
    (household.desk_note, 1.1, 8),
    (devices.phone, 1.4, 12),
    (devices.tablet, 1.0, 10),
    (devices.mouse, 0.5, 25),
    (furniture.cushion, 0.3, 20),
    (vessels.lamp, 0.6, 0),
)
_SHELF: tuple[tuple[Designer, float, float], ...] = (
    (household.book, 2.5, 6),
    (vessels.vase, 0.8, 0),
    (vessels.bowl, 0.6, 0),
    (household.box, 1.0, 15),
    (plants.plant, 0.7, 0),
    (household.desk_frame, 0.8, 10),
    (household.desk_clock, 0.8, 10),
    (household.toy_ball, 0.7, 0),
    (vessels.bottle, 0.7, 0),
)
_FLOOR: tuple[tuple[Designer, float, float, float], ...] = (
    # designer, weight, maximum turn (degrees), scale relative to a desk
    (household.box, 1.3, 40, 2.0),
    (household.toy_ball, 1.3, 0, 2.2),
    (furniture.cushion, 1.4, 30, 1.6),
    (plants.plant, 1.2, 0, 2.6),
    (vessels.lamp, 1.0, 0, 3.2),
    (vessels.vase, 0.7, 0, 2.4),
    (household.book, 0.7, 40, 1.7),
)


def furnish(rng: np.random.Generator, split: Split, size: tuple[int, int]) -> Arrangement:
    """Make a setting with its objects.

    Args:
        size: Width and height of the finished picture, pixels.
    """
    return _desk(rng, split, size) if rng.random() < 0.68 else _room(rng, split, size)


def _desk(rng: np.random.Generator, split: Split, size: tuple[int, int]) -> Arrangement:
    stage = Arrangement(setting=desk_setting(rng, split, size), split=split, rng=rng)
    top = stage.setting.main
    kit = _kit(stage, top.colour, 1.0)
    count = int(rng.integers(10, 17))
    little = _kit(stage, top.colour, float(rng.uniform(0.76, 0.98)))
    anchor = float(rng.random())
    if anchor < 0.6:
        _workplace(stage, kit, top, devices.monitor)
    elif anchor < 0.88:
        _workplace(stage, kit, top, devices.laptop)
    _walls(stage, kit, 1.0)
    for shelf in stage.setting.shelves:
        _fill_shelf(stage, _kit(stage, shelf.colour, 0.8), shelf)
    used: Counter[Designer] = Counter()
    for _ in range(24):
        if len(stage.items) >= count:
            break
        _stand_one(stage, little, top, _SMALL, used)
        _stack(stage, little)
    return stage


def _room(rng: np.random.Generator, split: Split, size: tuple[int, int]) -> Arrangement:
    stage = Arrangement(setting=room_setting(rng, split, size), split=split, rng=rng)
    top, floor = stage.setting.main, stage.setting.floor
    if floor is None:
        raise ValueError("a room has a floor that things stand on; this setting has none")
    stage.keep_clear(floor, top)
    count = int(rng.integers(10, 18))
    kit = _kit(stage, top.colour, 1.5)
    little = _kit(stage, top.colour, float(rng.uniform(1.15, 1.5)))
    if rng.random() < 0.6:
        _workplace(stage, kit, top, devices.laptop if rng.random() < 0.6 else devices.monitor)
    _walls(stage, kit, 1.9)
    for shelf in stage.setting.shelves:
        _fill_shelf(stage, _kit(stage, shelf.colour, 1.4), shelf)
    ground = _kit(stage, floor.colour, 1.0)
    for _ in range(int(rng.integers(1, 4))):
        turn = (150.0, 210.0) if rng.random() < 0.5 else (-110.0, 110.0)
        stage.stand(furniture.chair(ground), floor, turn)
    used: Counter[Designer] = Counter()
    for _ in range(30):
        if len(stage.items) >= count:
            break
        if rng.random() < 0.5:
            _stand_one(stage, little, top, _SMALL, used)
        else:
            weights = [weight / (1 + 2 * used[designer]) for designer, weight, _, _ in _FLOOR]
            designer, _, turned, larger = _FLOOR[_pick(rng, weights)]
            used[designer] += 1
            stage.stand(designer(_kit(stage, floor.colour, larger)), floor, (-turned, turned))
    return stage


def _workplace(stage: Arrangement, kit: Kit, top: Top, designer: Designer) -> None:
    """Place a computer at the back, with keyboard and mouse in front and notes stuck on it."""
    rng = stage.rng
    for _ in range(5):
        device = designer(kit)
        middle = float(rng.uniform(0.45 * top.across[0], 0.45 * top.across[1]))
        back = top.inward[1] - device.depth / 2 - float(rng.uniform(0.08, 0.22)) * kit.scale
        pose = _straight(top.pose.moved(middle, 0.0, back), rng)
        host = stage.put(device, pose, top)
        if host is not None:
            break
    else:
        return
    if device.category == "monitor":
        if rng.random() < 0.75:
            keys = devices.keyboard(kit)
            ahead = device.depth / 2 + keys.depth / 2 + float(rng.uniform(0.05, 0.16)) * kit.scale
            stage.put(keys, pose.moved(kit.between(-0.08, 0.08), 0.0, -ahead), top)
        if rng.random() < 0.7:
            side = 1.0 if rng.random() < 0.75 else -1.0
            place = pose.moved(side * kit.between(0.26, 0.38), 0.0, -kit.between(0.2, 0.35))
            stage.put(devices.mouse(kit), place, top)
    for _ in range(int(rng.integers(0, 3))):
        if rng.random() < 0.6:
            _stick_note(stage, kit, host)


def _stick_note(stage: Arrangement, kit: Kit, host: Item) -> None:
    note = household.paper_note(kit)
    design = host.design
    across = (design.width / 2 - note.width * 0.4) * (1.0 if stage.rng.random() < 0.5 else -1.0)
    up = design.height - note.height * kit.share(0.3, 0.6)
    # Just in front of the screen's plane, for monitors and laptops.
    ahead = design.depth / 2 + 0.06 if design.category == "laptop" else -0.03
    stage.attach(note, host.pose.moved(across, up, ahead), host)


def _walls(stage: Arrangement, kit: Kit, larger: float) -> None:
    rng = stage.rng
    for wall in stage.setting.walls:
        hung = Kit(rng=rng, split=kit.split, avoid=(wall.colour,), scale=larger)
        if larger > 1.5 and rng.random() < 0.45:
            stage.hang(devices.wall_screen(hung), wall)
        for designer, chance, most in (
            (household.wall_frame, 0.65, 3),
            (household.paper_note, 0.5, 3),
            (household.wall_clock, 0.3, 1),
        ):
            if rng.random() < chance:
                for _ in range(int(rng.integers(1, most + 1))):
                    stage.hang(designer(hung), wall)


def _fill_shelf(stage: Arrangement, kit: Kit, shelf: Top) -> None:
    used: Counter[Designer] = Counter()
    for _ in range(int(stage.rng.integers(2, 6))):
        _stand_one(stage, kit, shelf, _SHELF, used)


def _stand_one(
    stage: Arrangement,
    kit: Kit,
    top: Top,
    choices: tuple[tuple[Designer, float, float], ...],
    used: Counter[Designer],
) -> None:
    """Place a random one of the choices; those used before are less likely."""
    weights = [weight / (1 + 2 * used[designer]) for designer, weight, _ in choices]
    designer, _, turned = choices[_pick(stage.rng, weights)]
    if stage.stand(designer(kit), top, (-turned, turned)):
        used[designer] += 1


def _stack(stage: Arrangement, kit: Kit) -> None:
    """Place a small object on a box or a lying book, in some of the cases."""
    last = stage.items[-1] if stage.items else None
    if (
        last is None
        or last.stuck
        or last.design.category not in ("box", "book")
        or last.design.width < 0.1 * kit.scale
    ):
        return
    if stage.rng.random() < 0.45:
        small = Kit(rng=stage.rng, split=kit.split, avoid=kit.avoid, scale=0.75 * kit.scale)
        designer = (vessels.mug, household.toy_ball, household.desk_clock, vessels.bowl)[
            int(stage.rng.integers(4))
        ]
        design = designer(small)
        if design.width < last.design.width and design.depth < last.design.depth:
            height = last.design.height + (0.006 * kit.scale if last.design.category == "box" else 0.0)
            stage.attach(design, last.pose.moved(0.0, height, 0.0), last)


def _straight(pose: Pose, rng: np.random.Generator) -> Pose:
    return Pose(origin=pose.origin).yawed(round(float(rng.uniform(-16.0, 16.0)) - 12.0 * pose.origin[0], 3))


def _kit(stage: Arrangement, colour: Colour, scale: float) -> Kit:
    near = tuple(wall.colour for wall in stage.setting.walls)
    return Kit(rng=stage.rng, split=stage.split, avoid=(colour, *near), scale=scale)


def _pick(rng: np.random.Generator, weights: list[float]) -> int:
    threshold = float(rng.random()) * sum(weights)
    for index, weight in enumerate(weights):
        threshold -= weight
        if threshold < 0:
            return index
    return len(weights) - 1
