"""Solids of revolution (mugs, bottles, pots, lamp shades) and balls, shaded pixel by pixel.

Array arithmetic uses only + - * / and square roots, which are the same on every processor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from pedbench.scenes.painting.assets import Colour
from pedbench.scenes.painting.brush import Brush, Floats
from pedbench.scenes.painting.geometry import Point3, Pose
from pedbench.scenes.painting.textures import scaled

Profile = Sequence[tuple[float, float]]
"""(height, radius) pairs from the bottom up, metres."""


def revolve(
    brush: Brush, pose: Pose, profile: Profile, texture: Image.Image, gloss: float, inside: Colour | None
) -> None:
    """Paint a vertical solid of revolution standing on the pose's origin.

    Args:
        texture: Wrapped around the side; its height spans the profile's.
        gloss: Strength of the highlight, 0 to 1.
        inside: Colour of the hollow seen through the open top; None for a closed top.
    """
    camera = brush.camera
    slices = _slices(profile, camera.scale(pose.origin))
    rings = []
    for height, radius in slices:
        centre = pose.point(0.0, height, 0.0)
        x, y = camera.project(centre)
        a = max(radius * camera.scale(centre), 0.5)
        rings.append((x, y, a, a * camera.sine_of_elevation(centre)))
    left = max(0, math.floor(min(x - a for x, _, a, _ in rings)) - 1)
    right = min(camera.size[0], math.ceil(max(x + a for x, _, a, _ in rings)) + 2)
    top = max(0, math.floor(min(y - abs(b) for _, y, _, b in rings)) - 1)
    bottom = min(camera.size[1], math.ceil(max(y + abs(b) for _, y, _, b in rings)) + 2)
    if right <= left or bottom <= top:
        return
    local = [(x - left, y - top, a, b) for x, y, a, b in rings]
    stencil = Image.new("L", (right - left, bottom - top))
    pen = ImageDraw.Draw(stencil)
    for (x0, y0, a0, _), (x1, y1, a1, _) in pairwise(local):
        pen.polygon([(x0 - a0, y0), (x0 + a0, y0), (x1 + a1, y1), (x1 - a1, y1)], fill=255)
    for x, y, a, b in local:
        pen.ellipse([x - a, y - abs(b), x + a, y + abs(b)], fill=255)
    pixels = _side(brush, local, slices, texture, gloss, stencil.size)
    brush.image.paste(Image.fromarray(pixels), (left, top), stencil)
    brush.mask.paste(255, (left, top, right, bottom), stencil)
    x, y, a, b = rings[-1]
    if b > 1.0:
        rim = texture.getpixel((0, 0))
        if not isinstance(rim, tuple):
            raise ValueError(f"textures are RGB pictures, this one has the mode {texture.mode}")
        edge = scaled((int(rim[0]), int(rim[1]), int(rim[2])), brush.light.gain(pose.up))
        pen = ImageDraw.Draw(brush.image)
        pen.ellipse([x - a, y - b, x + a, y + b], fill=edge)
        if inside is not None:
            pen.ellipse([x - 0.88 * a, y - 0.86 * b, x + 0.88 * a, y + 0.86 * b], fill=scaled(inside, 0.55))
            pen.ellipse([x - 0.84 * a, y - 0.4 * b, x + 0.84 * a, y + 0.86 * b], fill=scaled(inside, 0.8))


def ball(brush: Brush, centre: Point3, radius: float, texture: Image.Image, gloss: float) -> None:
    """Paint a ball; the texture is stretched over the visible half."""
    x, y = brush.camera.project(centre)
    a = radius * brush.camera.scale(centre)
    left, right = max(0, math.floor(x - a)), min(brush.camera.size[0], math.ceil(x + a) + 1)
    top, bottom = max(0, math.floor(y - a)), min(brush.camera.size[1], math.ceil(y + a) + 1)
    if right <= left or bottom <= top:
        return
    u = ((np.arange(left, right, dtype=np.float64) + 0.5 - x) / a)[None, :]
    v = ((np.arange(top, bottom, dtype=np.float64) + 0.5 - y) / a)[:, None]
    squared = u * u + v * v
    out: Floats = np.sqrt(np.maximum(1.0 - squared, 0.0))
    # Dividing by 0.5 + out bends the pattern like a stereographic map.
    colours = _look_up(texture, 0.5 + 0.5 * u / (0.5 + out), 0.5 + 0.5 * v / (0.5 + out))
    pixels = _lit(brush, colours, u, -v, out, gloss)
    stencil = Image.fromarray(((squared <= 1.0) * 255).astype(np.uint8))
    brush.image.paste(Image.fromarray(pixels), (left, top), stencil)
    brush.mask.paste(255, (left, top, right, bottom), stencil)


def _slices(profile: Profile, scale: float) -> list[tuple[float, float]]:
    count = min(40, max(6, round(profile[-1][0] * scale / 5)))
    heights = [profile[-1][0] * index / count for index in range(count + 1)]
    fine = np.interp(heights, [h for h, _ in profile], [r for _, r in profile])
    return [(height, float(radius)) for height, radius in zip(heights, fine, strict=True)]


def _side(
    brush: Brush,
    rings: Sequence[tuple[float, float, float, float]],
    slices: Sequence[tuple[float, float]],
    texture: Image.Image,
    gloss: float,
    size: tuple[int, int],
) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    ys = np.array([y for _, y, _, _ in rings][::-1])
    table = np.array([(x, a, b) for x, _, a, b in rings][::-1])
    heights = np.array([height for height, _ in slices][::-1])
    total = slices[-1][0]
    falls = [0.0]
    for (h0, r0), (h1, r1) in pairwise(slices):
        slope = (r0 - r1) / max(h1 - h0, 1e-6)
        falls.append(slope / math.sqrt(1.0 + slope * slope))
    falls[0] = falls[1]
    column, row = np.arange(size[0])[None, :] + 0.5, np.arange(size[1])[:, None] + 0.5
    a = np.interp(row, ys, table[:, 1])
    x = np.interp(row, ys, table[:, 0])
    u = np.clip((column - x) / a, -1.0, 1.0)
    # The near side of a ring lies below its centre by the ring's visible half height.
    centre_row = row - np.interp(row, ys, table[:, 2]) * np.sqrt(1.0 - u * u)
    a = np.interp(centre_row, ys, table[:, 1])
    u = np.clip((column - x) / a, -1.0, 1.0)
    out: Floats = np.sqrt(1.0 - u * u)
    height = np.interp(centre_row, ys, heights)
    up = np.interp(centre_row, ys, np.array(falls[::-1]))
    # A cubic approximates the arc sine.
    colours = _look_up(texture, 0.5 + 0.5 * u * (0.64 + 0.36 * u * u), 1.0 - height / total)
    flat: Floats = np.sqrt(np.maximum(1.0 - up * up, 0.0))
    return _lit(brush, colours, u * flat, up, out * flat, gloss)


def _look_up(texture: Image.Image, across: Floats, down: Floats) -> Floats:
    pixels = np.asarray(texture, np.float64)
    columns = np.clip((across * texture.width).astype(np.int64), 0, texture.width - 1)
    rows = np.clip((down * texture.height).astype(np.int64), 0, texture.height - 1)
    looked: Floats = pixels[rows, columns]
    return looked


def _lit(
    brush: Brush, colours: Floats, right: Floats, up: Floats, out: Floats, gloss: float
) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    x, y, z = brush.light.towards
    toward = np.maximum(x * right + y * up - z * out, 0.0)
    ambient = brush.light.ambient * 0.9
    gain = (ambient + (1.18 - ambient) * toward) * (0.72 + 0.28 * out)
    # Halfway vector between lamp and viewer, who is assumed straight ahead.
    length = math.sqrt(x * x + y * y + (z - 1.0) * (z - 1.0))
    shine = np.maximum((x * right + y * up - (z - 1.0) * out) / length, 0.0)
    for _ in range(5):
        shine = shine * shine
    lit = colours * gain[:, :, None] + (230.0 * gloss) * shine[:, :, None]
    pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]] = np.clip(lit + 0.5, 0, 255).astype(np.uint8)
    return pixels
