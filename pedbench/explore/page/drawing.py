"""Pictures, overlays and bars as text for the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pedbench.explore.trial import Trial
    from pedbench.offload.passes.timeline import Span
    from pedbench.types import Mask, Picture

LARGEST = 1280
"""Longest side in pixels of what is sent to the browser."""

UNDEFENDED, DEFENDED = (230, 126, 34), (22, 160, 133)
"""Colours of the two models' masks."""

_BITS = 255


def server_colour(server: int) -> str:
    """Return a server's colour; neighbours in number are far apart in hue."""
    return f"hsl({server * 137.508 % 360:.0f} 62% 52%)"


def picture_uri(picture: Picture) -> str:
    """Return a picture, (H, W, 3) in [0, 1], as a data address."""
    image = Image.fromarray(np.rint(np.clip(picture, 0, 1) * _BITS).astype(np.uint8))
    image.thumbnail((LARGEST, LARGEST))
    return _uri(image, "webp", quality=92, method=2)


def thumbnail_uri(picture: Picture) -> str:
    """Return a small copy of a picture as a data address."""
    image = Image.fromarray(np.rint(picture * _BITS).astype(np.uint8))
    image.thumbnail((160, 160))
    return _uri(image, "webp", quality=80, method=2)


def mask_svg(mask: Mask, colour: tuple[int, int, int]) -> str:
    """Return a mask as an overlay that tints what it covers and outlines it."""
    from scipy import ndimage

    height, width = mask.shape
    thick = max(1, round(max(mask.shape) / 320))
    inner = ndimage.binary_erosion(mask, iterations=thick)
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[mask] = (*colour, 105)
    pixels[mask & ~inner] = (*colour, 255)
    uri = _uri(Image.fromarray(pixels, "RGBA"), "png")
    return f'<image href="{uri}" width="{width}" height="{height}"/>'


def prompt_svg(prompt: Sequence[float], longest: int) -> str:
    """Return a click or a box as an overlay, for a picture with a longest side in pixels."""
    unit = longest / 320
    if len(prompt) == 2:
        x, y = prompt
        return (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{4.5 * unit:.1f}" fill="#fff"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 * unit:.1f}" fill="#111"/>'
        )
    left, top, right, bottom = prompt
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" fill="none" '
        f'stroke="#fff" stroke-width="{1.6 * unit:.1f}" stroke-dasharray="{5 * unit:.1f} {3 * unit:.1f}"/>'
    )


def held_picture(trial: Trial, coalition: Collection[int]) -> Picture:
    """Return what a coalition received as a picture of the frame: stripes where it received no pixels."""
    from pedbench.pictures.overlays import hatched

    view = trial.pool(coalition).view
    exact, coverage = view.canvas()
    degraded, changed = view.degraded_canvas()
    return hatched(np.where(coverage[..., None], exact, degraded), coverage | changed)


def grid_svg(trial: Trial, coalition: Collection[int]) -> str:
    """Return the server grid as an overlay: each window in the colour and with the number of its server."""
    size = (trial.frame.shape[0], trial.frame.shape[1])
    parts = []
    for window in trial.bench.grid.active(size):
        tile = trial.bench.grid.tile(window, size)
        servers = servers_at(trial, (tile.left + tile.right) // 2, (tile.top + tile.bottom) // 2)
        inside = any(server in coalition for server in servers)
        shown = next((server for server in servers if server in coalition), servers[0] if servers else None)
        colour = "#888" if shown is None else server_colour(shown)
        fill = 0 if inside or shown is None else 0.42
        text = "" if shown is None else str(shown + 1)
        parts.append(
            f'<rect x="{tile.left + 1}" y="{tile.top + 1}" width="{tile.width - 2}" height="{tile.height - 2}" '
            f'fill="{colour}" fill-opacity="{fill}" stroke="{colour}" '
            f'stroke-width="{2.4 if inside else 1}" rx="2"/>'
        )
        if tile.width > 16 and tile.height > 16:
            parts.append(
                f'<text x="{tile.left + 6}" y="{tile.top + 14}" font-size="11" font-weight="700" fill="#fff" '
                f'stroke="#000" stroke-opacity=".55" stroke-width="2.4" paint-order="stroke">{text}</text>'
            )
    return "".join(parts)


def servers_at(trial: Trial, x: float, y: float) -> list[int]:
    """Return the servers that received content of a pixel of the frame."""
    height, width = trial.frame.shape[:2]
    row, column = min(max(0, int(y)), height - 1), min(max(0, int(x)), width - 1)
    return [int(server) for server in np.flatnonzero(trial.covered[:, row, column])]


def gantt_html(spans: Sequence[Span], servers: int, length: float) -> str:
    """Return a pass as rows of bars: the edge, the link up and down, and each server.

    Args:
        length: Seconds that the whole width stands for.
    """
    rows: Mapping[str, list[Span]] = {
        "edge": [span for span in spans if span.server is None],
        "link up": [span for span in spans if span.step == "uplink"],
        "link down": [span for span in spans if span.step == "downlink"],
        **{
            f"server {server + 1}": [
                span for span in spans if span.server == server and span.step in ("waiting", "server")
            ]
            for server in range(servers)
        },
    }
    lines = []
    for name, bars in rows.items():
        shapes = "".join(_bar(span, length) for span in bars)
        lines.append(f'<div class="lane"><span>{name}</span><div class="track">{shapes}</div></div>')
    return f'<div class="gantt">{"".join(lines)}</div>'


def _bar(span: Span, length: float) -> str:
    left, width = 100 * span.start / length, max(0.15, 100 * (span.stop - span.start) / length)
    colour = (
        f"background:{server_colour(span.server)};"
        if span.server is not None and span.step != "waiting"
        else ""
    )
    size = f", {amount(span.size)}" if span.size else ""
    title = escape(f"{span.step}: {duration(span.stop - span.start)}{size}")
    return (
        f'<i class="{span.step}" style="{colour}left:{min(left, 99.8):.2f}%;width:{min(width, 100 - left):.2f}%" '
        f'title="{title}"></i>'
    )


def duration(seconds: float) -> str:
    """Return seconds in words."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def amount(size: int) -> str:
    """Return bytes in words."""
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB" if size >= 1e3 else f"{size} B"


def _uri(image: Image.Image, form: str, **settings: int) -> str:
    data = io.BytesIO()
    image.save(data, form, **settings)
    return f"data:image/{form};base64,{base64.b64encode(data.getvalue()).decode()}"
