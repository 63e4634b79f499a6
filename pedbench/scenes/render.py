"""Rendering of a scene from a seed and an index: picture, exact masks and secrets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pedbench.scenes.painting.assets import Split
from pedbench.scenes.painting.brush import Spot
from pedbench.scenes.painting.lettering import OVERSAMPLING
from pedbench.scenes.painting.printed import LEAST_FACE
from pedbench.scenes.staging.arrange import Arrangement
from pedbench.scenes.staging.compose import (
    assign_owners,
    cast_shadow,
    develop,
    divide,
    shade_ground,
    whole_enough,
)
from pedbench.scenes.staging.furnish import furnish

SIZES = ((320, 240),) * 7 + ((240, 320), (320, 320), (320, 200))
"""(width, height) of finished pictures; one is chosen at random."""

LEAST_OBJECTS = 6

TEXT_HEIGHTS = (10.0, 16.0)
_LEAST_VISIBLE_SECRET = 0.9
_ATTEMPTS = 40


@dataclass(frozen=True, kw_only=True)
class SceneObject:
    """One instance.

    Attributes:
        mask: (H, W) bool, the visible part; masks of a scene do not overlap.
        amodal_area: Pixels in the frame that it would cover if no other object hid it.
    """

    category: str
    mask: npt.NDArray[np.bool_]
    amodal_area: int


@dataclass(frozen=True, kw_only=True)
class SceneSecret:
    """A visible word or face.

    Attributes:
        content: The word exactly as painted, or the person's name.
        box: x, y, width, height in pixels.
        visible: Share that no object hides, at least 0.9.
        height: Height of the word or face along its own upright, in pixels.
    """

    kind: Literal["text", "face"]
    content: str
    box: tuple[float, float, float, float]
    visible: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A finished scene; `image` is (H, W, 3) uint8 RGB with a longest side of 320 px."""

    image: npt.NDArray[np.uint8]
    objects: list[SceneObject]
    secrets: list[SceneSecret]


def render(seed: int, index: int, split: Split) -> Scene:
    """Render a scene; the result is the same on every machine.

    Args:
        split: Split of the photographs and faces that it may show.

    Raises:
        RuntimeError: No attempt produced enough objects.
    """
    if split not in ("train", "val"):
        raise ValueError(f"split must be 'train' or 'val', found {split!r}")
    for attempt in range(_ATTEMPTS):
        rng = _generator(seed, index, attempt)
        size = SIZES[int(rng.integers(len(SIZES)))]
        arrangement = furnish(rng, split, size)
        scene = _compose(arrangement, rng)
        if _acceptable(scene):
            return scene
    raise RuntimeError(f"no acceptable scene for seed {seed}, index {index} in {_ATTEMPTS} attempts")


def _generator(seed: int, index: int, attempt: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed} {index} {attempt}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def _acceptable(scene: Scene) -> bool:
    areas = [int(each.mask.sum()) for each in scene.objects]
    if len(areas) < LEAST_OBJECTS:
        return False
    large = sum(area >= 1024 for area in areas)
    return large >= 2 and sum(areas) >= 0.08 * scene.image.shape[0] * scene.image.shape[1]


def _compose(arrangement: Arrangement, rng: np.random.Generator) -> Scene:
    setting = arrangement.setting
    items = sorted(arrangement.items, key=lambda item: -item.nearness)
    while True:
        owners = assign_owners(items, setting.camera.size)
        masks, amodal = divide(items, owners)
        poor = [k for k, mask in enumerate(masks) if not whole_enough(mask, amodal[k])]
        if not poor:
            break
        gone = {id(items[k]) for k in poor}
        items = [item for item in items if id(item) not in gone]
    canvas = shade_ground(setting, items)
    for item in items:
        if item.stuck:
            cast_shadow(canvas, item)
        canvas.paste(item.image, item.corner, item.mask)
    image = develop(canvas.reduce(OVERSAMPLING), rng)
    objects = [
        SceneObject(category=item.design.category, mask=mask, amodal_area=area)
        for item, mask, area in zip(items, masks, amodal, strict=True)
    ]
    secrets = [
        secret
        for k, item in enumerate(items)
        for spot in item.spots
        if (secret := _secret(spot, owners == k + 1)) is not None
    ]
    return Scene(image=image, objects=objects, secrets=secrets)


def _secret(spot: Spot, owned: npt.NDArray[np.bool_]) -> SceneSecret | None:
    """Return a mark as a secret; None if it is hidden, cut by the frame, slanted or not of legible height."""
    height, width = owned.shape
    xs, ys = [x for x, _ in spot.corners], [y for _, y in spot.corners]
    if min(xs) < 0 or min(ys) < 0 or max(xs) > width or max(ys) > height:
        return None
    stencil = Image.new("L", (width, height))
    ImageDraw.Draw(stencil).polygon(spot.corners, fill=255)
    inside = np.asarray(stencil) > 0
    total = int(inside.sum())
    visible = int((owned & inside).sum()) / max(total, 1)
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = spot.corners
    base = (((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 + ((x2 - x3) ** 2 + (y2 - y3) ** 2) ** 0.5) / 2
    # Area over base: the letters' height perpendicular to their line.
    upright = abs((x2 - x0) * (y3 - y1) - (x3 - x1) * (y2 - y0)) / 2 / max(base, 1e-6) / OVERSAMPLING
    slant = abs((y1 + y2 - y0 - y3) / max(abs(x1 + x2 - x0 - x3), 1e-6))
    if visible < _LEAST_VISIBLE_SECRET or slant > 0.3:
        return None
    if spot.mark.kind == "face" and upright < LEAST_FACE:
        return None
    if spot.mark.kind == "text" and not TEXT_HEIGHTS[0] <= upright <= TEXT_HEIGHTS[1]:
        return None
    left, top = min(xs) / OVERSAMPLING, min(ys) / OVERSAMPLING
    box = (left, top, max(xs) / OVERSAMPLING - left, max(ys) / OVERSAMPLING - top)
    rounded = tuple(round(value, 2) for value in box)
    return SceneSecret(
        kind=spot.mark.kind,
        content=spot.mark.content,
        box=(rounded[0], rounded[1], rounded[2], rounded[3]),
        visible=round(visible, 4),
        height=round(upright, 2),
    )
