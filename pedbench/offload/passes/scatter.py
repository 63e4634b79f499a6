"""Payloads of windows for each server, and the tokens that the servers return."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch

from pedbench.base import Reply
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.tiles import Bytes, cut_tiles, embed_windows, to_dtype
from pedbench.offload.wire.codec_labels import codec_for
from pedbench.offload.wire.messages import WireError
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Assignment, Payload, Window

PAYLOADS = ("pixels", "tokens16", "tokens32")
"""Forms in which windows are sent without a codec."""

_TOKEN_DTYPES = {"tokens16": "float16", "tokens32": "float32"}


def payload_form(payload: str) -> tuple[str, str]:
    """Return the form in which windows are sent, one of `PAYLOADS`, and the label of their codec or "".

    Args:
        payload: One of `PAYLOADS`, or the label of a codec for pixels.

    Raises:
        ValueError: `payload` is neither.
    """
    if payload in PAYLOADS:
        return payload, ""
    try:
        return "pixels", codec_for("uint8", payload).label
    except ValueError as error:
        raise ValueError(f"payload is none of {', '.join(PAYLOADS)}, and {error}") from error


def pixels_per_server(
    assignment: Assignment, frame: tuple[int, int], grid: WindowGrid, home: Collection[Window] = ()
) -> dict[int, int]:
    """Count the pixels of the frame that each server would get.

    Args:
        frame: Height and width of the frame in pixels.
        home: Windows that stay on the edge.

    Raises:
        ValueError: A window is missing, occurs twice or has no content.
    """
    assigned = [*home, *(window for windows in assignment.values() for window in windows)]
    if sorted(assigned) != sorted(grid.active(frame)):
        raise ValueError(
            f"expected each of the windows {grid.active(frame)} once, found the assignment {dict(assignment)}"
            + (f", and at home {sorted(home)}" if home else "")
        )
    return {
        server: sum(grid.tile(window, frame).area for window in windows)
        for server, windows in assignment.items()
    }


def window_payloads(network: Any, pixels: Bytes, assignment: Assignment, payload: str) -> dict[int, Payload]:
    """Return the arrays of each server's payload; servers without windows are absent.

    Args:
        network: The network whose patch embedding computes tokens.
        pixels: (H, W, 3) uint8 frame.
        assignment: The windows of each server.
        payload: One of `PAYLOADS`.
    """
    frame = np.array(pixels.shape[:2], np.int32)
    grid = window_grid(network.image_encoder)
    payloads: dict[int, Payload] = {}
    for server, windows in assignment.items():
        ordered = sorted(windows)
        if not ordered:
            continue
        places = {"positions": np.array(ordered, np.int32), "frame": frame}
        if payload == "pixels":
            payloads[server] = {"pixels": cut_tiles(pixels, ordered, grid), **places}
        else:
            tokens = embed_windows(network, pixels, ordered)
            values = np.stack([tokens[window] for window in ordered])
            payloads[server] = {"tokens": to_dtype(values, _TOKEN_DTYPES[payload]), **places}
    return payloads


def gather_windows(
    pendings: Mapping[int, Reply], order: Assignment, network: Any
) -> dict[Window, torch.Tensor]:
    """Wait for the tokens of windows.

    Args:
        pendings: For each server, the call whose reply has `tokens`.
        order: For each server, its windows in the order of the payload.
        network: The network that computes the tokens.

    Returns:
        (window, window, C) tokens by window: of the network's dtype if that is half precision, else of the dtype in
        which they were sent.

    Raises:
        WireError: A reply has tokens of another shape.
    """
    encoder = network.image_encoder
    side, channels = window_grid(encoder).window, encoder.pos_embed.shape[3]
    dtype = None if encoder.pos_embed.dtype == torch.float32 else encoder.pos_embed.dtype
    gathered: dict[Window, torch.Tensor] = {}
    for server, pending in pendings.items():
        tokens = pending.tensor("tokens", dtype, network.device)
        expected = (len(order[server]), side, side, channels)
        if tokens.shape != expected:
            raise WireError(
                f"server {pending.server} returned tokens of shape {tuple(tokens.shape)}, expected {expected}"
            )
        gathered.update(zip(order[server], tokens, strict=True))
    return gathered
