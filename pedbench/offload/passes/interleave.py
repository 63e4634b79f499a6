"""The encoder in its original block order: window blocks run on servers, global blocks on the edge, in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pedbench.base import Cloud, Embedding
from pedbench.models.sam.stages import run_blocks, window_grid
from pedbench.models.sam.window_blocks import run_window_blocks, window_runs
from pedbench.offload.operations.tiles import to_dtype
from pedbench.offload.passes.calls import calls_of
from pedbench.offload.passes.scatter import gather_windows, pixels_per_server, window_payloads
from pedbench.pictures.frame import to_uint8
from pedbench.types import Assignment, Payload, Picture


def encode_interleaved(
    cloud: Cloud,
    frame: Picture,
    assignment: Assignment,
    *,
    weights: str = "original",
    dtype: str = "float32",
) -> Embedding:
    """Run each sequence of window blocks on the servers, and the global blocks between them on the edge.

    A server gets the same windows in each round: first their pixels, then their tokens after a global block. The edge
    computes windows outside the frame itself, while the servers compute.

    Args:
        cloud: The servers.
        frame: (H, W, 3) float32 in [0, 1]; rounded to 8 bits.
        assignment: The windows of each server, together all windows with content.
        weights: Name of the network.
        dtype: Dtype of tokens in messages and replies, `float32` or `float16`.

    Raises:
        DisclosureError: A server would get more of the frame than the defense may give; nothing was sent.
        ValueError: The assignment does not cover the frame, or the network does not begin with a window block.
        ServerLost: A server does not answer.
    """
    calls = calls_of(cloud)
    network = calls.networks.network(weights)
    encoder, grid = network.image_encoder, window_grid(network.image_encoder)
    size = (frame.shape[0], frame.shape[1])
    active = grid.active(size)
    empty = [window for window in grid.windows if window not in active]
    order = {server: tuple(sorted(windows)) for server, windows in assignment.items() if windows}
    runs = window_runs(encoder)
    if not runs or runs[0][0]:
        raise ValueError(f"the network {weights!r} does not begin with a window block")
    with calls.clock.preparing():
        pixels = to_uint8(frame)
        calls.give(pixels_per_server(assignment, size, grid))
        payloads = window_payloads(network, pixels, assignment, "pixels")
    # Windows outside the frame have the tokens of an empty canvas; servers return those of all others.
    blank = encoder.pos_embed.new_zeros(1, 3, *grid.canvas)
    mixed = (encoder.patch_embed(blank) + encoder.pos_embed) if empty else encoder.pos_embed
    ends = [first for first, _ in runs[1:]] + [len(encoder.blocks)]
    for (first, last), end in zip(runs, ends, strict=True):
        by_window = dict(zip(grid.windows, grid.partition(mixed), strict=True))
        arguments = {"weights": weights, "reply": dtype, "last": str(last)}
        if first:
            with calls.clock.preparing():
                payloads = _token_payloads(by_window, order, size, dtype)
            arguments["first"] = str(first)
        pendings = calls.send(payloads, "run_blocks" if first else "start_windows", arguments)
        calls.streamed.update((server, pending.sequence) for server, pending in pendings.items())
        if empty:
            tokens = torch.stack([by_window[window] for window in empty])
            computed = run_window_blocks(encoder, tokens, empty, grid, first, last)
            by_window.update(zip(empty, computed, strict=True))
        by_window.update(gather_windows(pendings, order, network))
        together = torch.stack([by_window[window].to(mixed) for window in grid.windows])
        mixed = run_blocks(encoder, grid.unpartition(together), last, end)
    return Embedding(features=encoder.neck(mixed.permute(0, 3, 1, 2)), network=network)


def _token_payloads(tokens: Any, order: Assignment, frame: tuple[int, int], dtype: str) -> dict[int, Payload]:
    return {
        server: {
            "tokens": to_dtype(
                torch.stack([tokens[window] for window in windows]).float().cpu().numpy(), dtype
            ),
            "positions": np.array(windows, np.int32),
            "frame": np.array(frame, np.int32),
        }
        for server, windows in order.items()
    }
