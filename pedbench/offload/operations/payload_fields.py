"""Fields that payloads of several operations share, and functions that read positions and tokens."""

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
from pedbench.types import Payload, Tokens, Window

REPLY_DTYPES = ("float32", "float16")
"""Dtypes of tokens in messages without a codec."""

FEATURES = {"features": Field(dtypes=REPLY_DTYPES, shape=(1, "channels", "height", "width"))}
TOKENS = Field(dtypes=REPLY_DTYPES, shape=("windows", "side", "side", "channels"))
FRAME = Field(dtypes=("int32",), shape=(2,))
PLACES = {"positions": Field(dtypes=("int32",), shape=("windows", 2)), "frame": FRAME}


def places(payload: Payload, grid: WindowGrid) -> tuple[list[Window], tuple[int, int]]:
    """Read the windows and the frame's height and width from a payload.

    Raises:
        ValueError: Windows are out of order, occur twice or have no content, or the frame exceeds the canvas.
    """
    height, width = payload["frame"].tolist()
    windows = [(row, column) for row, column in payload["positions"].tolist()]
    if windows != sorted(set(windows)):
        raise ValueError(f"expected different windows in reading order, found {windows}")
    empty = set(windows) - set(grid.active((height, width)))
    if empty or not windows:
        raise ValueError(f"expected windows with part of a {height}x{width} frame, found {sorted(empty)}")
    return windows, (height, width)


def token_places(windows: Sequence[Window], grid: WindowGrid) -> npt.NDArray[np.int64]:
    """Return row and column in the token grid of all tokens of windows, (n, window, window, 2)."""
    corner = np.array(windows).reshape(-1, 1, 1, 2) * grid.window
    offset = np.stack(np.meshgrid(*[np.arange(grid.window)] * 2, indexing="ij"), axis=-1)
    positions: npt.NDArray[np.int64] = corner + offset
    return positions


def holding(
    positions: npt.NDArray[np.int64], grid: WindowGrid, frame: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Return the (...) mask of tokens at `positions`, (..., 2), that cover part of a frame of size (H, W)."""
    mask: npt.NDArray[np.bool_] = np.all(positions * grid.patch < frame, axis=-1)
    return mask


def shown_tokens(
    tokens: npt.NDArray[Any],
    positions: npt.NDArray[np.int64],
    mask: npt.NDArray[np.bool_] | np.bool_,
    depth: int,
    server: int,
    request: int,
) -> list[Tokens]:
    """Return the tokens where `mask` is true, as an operation's `observe` shows them."""
    values = tokens[mask].astype(np.float32)
    return [Tokens(values=values, positions=positions[mask], depth=depth, server=server, request=request)]


def same_bits(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> bool:
    """Return whether two arrays are equal in every bit, including the signs of zeros, which could carry data."""
    return found.dtype == expected.dtype and found.tobytes() == expected.tobytes()


def reply_form(reply: str) -> tuple[str, str]:
    """Return the dtype of a reply's arrays, and the label of their codec or "".

    Args:
        reply: One of `REPLY_DTYPES`, or the label of a codec for float32.

    Raises:
        ValueError: `reply` is neither.
    """
    if reply in REPLY_DTYPES:
        return reply, ""
    try:
        return "float32", codec_for("float32", reply).label
    except ValueError as error:
        raise ValueError(f"reply is none of {', '.join(REPLY_DTYPES)}, and {error}") from error


def encoded(values: torch.Tensor, arguments: Mapping[str, str]) -> npt.NDArray[Any]:
    """Return a reply's array in the dtype that the call's arguments name."""
    return to_dtype(values.float().cpu().numpy(), arguments["reply"])
