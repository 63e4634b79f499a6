"""What goes to which server when a frame is scattered by windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from pedbench.models.windows import WindowGrid
from pedbench.offload.tiles import Bytes, cut_tiles, embed_windows, stages, to_dtype
from pedbench.types import Assignment, Payload

PAYLOADS = ("pixels", "tokens16", "tokens32")
_TOKEN_DTYPES = {"tokens16": "float16", "tokens32": "float32"}


def pixels_per_server(assignment: Assignment, frame: tuple[int, int], grid: WindowGrid) -> dict[int, int]:
    """Pixels of the frame that each server would get.

    Raises:
        ValueError: A window is missing, stands twice or holds nothing of the frame.
    """
    assigned = [window for windows in assignment.values() for window in windows]
    if sorted(assigned) != sorted(grid.active(frame)):
        raise ValueError(
            f"expected each of the windows {grid.active(frame)} once, found the assignment {dict(assignment)}"
        )
    return {
        server: sum(grid.tile(window, frame).area for window in windows)
        for server, windows in assignment.items()
    }


def window_payloads(network: Any, pixels: Bytes, assignment: Assignment, payload: str) -> dict[int, Payload]:
    """What each server is sent for its windows; nothing for a server without windows.

    Args:
        network: The network whose patch embedding makes tokens.
        pixels: (H, W, 3) frame.
        assignment: Per server its windows.
        payload: One of `PAYLOADS`.
    """
    frame = np.array(pixels.shape[:2], np.int32)
    grid = stages(network)[0].grid
    tokens = {} if payload == "pixels" else embed_windows(network, pixels)
    payloads: dict[int, Payload] = {}
    for server, windows in assignment.items():
        ordered = sorted(windows)
        if not ordered:
            continue
        places = {"positions": np.array(ordered, np.int32), "frame": frame}
        if payload == "pixels":
            payloads[server] = {"pixels": cut_tiles(pixels, ordered, grid), **places}
        else:
            values = np.stack([tokens[window] for window in ordered])
            payloads[server] = {"tokens": to_dtype(values, _TOKEN_DTYPES[payload]), **places}
    return payloads
