"""What the payloads of several operations have in common: fields, and how places and tokens are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pedbench.base import Field
from pedbench.offload.operations.tiles import to_dtype
from pedbench.offload.wire.codec_labels import codec_for
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Payload, Window

REPLY_DTYPES = ("float32", "float16")
"""How tokens travel without a codec."""

FEATURES = {"features": Field(dtypes=REPLY_DTYPES, shape=(1, "channels", "height", "width"))}
TOKENS = Field(dtypes=REPLY_DTYPES, shape=("windows", "side", "side", "channels"))
FRAME = Field(dtypes=("int32",), shape=(2,))
PLACES = {"positions": Field(dtypes=("int32",), shape=("windows", 2)), "frame": FRAME}


def places(payload: Payload, grid: WindowGrid) -> tuple[list[Window], tuple[int, int]]:
    """Read the windows and the frame's size out of a payload.

    Raises:
        ValueError: Windows out of order, twice, or without a pixel of the frame; a frame beyond the canvas.
    """
    height, width = payload["frame"].tolist()
    windows = [(row, column) for row, column in payload["positions"].tolist()]
    if windows != sorted(set(windows)):
        raise ValueError(f"expected different windows in reading order, found {windows}")
    empty = set(windows) - set(grid.active((height, width)))
    if empty or not windows:
        raise ValueError(
            f"expected windows that hold part of a {height}x{width} frame, found {sorted(empty)}"
        )
    return windows, (height, width)


def token_places(windows: Sequence[Window], grid: WindowGrid) -> npt.NDArray[np.int64]:
    """Row and column in the token grid of all tokens of windows, (n, window, window, 2)."""
    corner = np.array(windows).reshape(-1, 1, 1, 2) * grid.window
    offset = np.stack(np.meshgrid(*[np.arange(grid.window)] * 2, indexing="ij"), axis=-1)
    found: npt.NDArray[np.int64] = corner + offset
    return found


def holding(
    positions: npt.NDArray[np.int64], grid: WindowGrid, frame: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Which tokens at `positions`, (..., 2), hold part of a frame of size (H, W)."""
    found: npt.NDArray[np.bool_] = np.all(positions * grid.patch < frame, axis=-1)
    return found


def same_bits(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> bool:
    """Whether two arrays are the same in every bit: zeros have signs, and those could say something."""
    return found.dtype == expected.dtype and found.tobytes() == expected.tobytes()


def reply_form(reply: str) -> tuple[str, str]:
    """How a reply's arrays travel: their dtype, and the label of the codec that writes them, if any.

    Args:
        reply: One of `REPLY_DTYPES`, or a codec for float32.

    Raises:
        ValueError: It is neither.
    """
    if reply in REPLY_DTYPES:
        return reply, ""
    try:
        return "float32", codec_for("float32", reply).label
    except ValueError as error:
        raise ValueError(f"reply is none of {', '.join(REPLY_DTYPES)}, and {error}") from error


def encoded(values: torch.Tensor, arguments: Mapping[str, str]) -> npt.NDArray[Any]:
    """A reply's array in the dtype that the call asks for."""
    return to_dtype(values.float().cpu().numpy(), arguments["reply"])
