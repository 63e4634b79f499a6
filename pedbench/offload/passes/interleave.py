"""The encoder in its own block order, window blocks on servers and global blocks on the edge, in turn."""

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
    """Run every stretch of window blocks on the servers, and the global blocks between them here.

    Every server gets the same windows in every round: first their pixels, then the tokens that a global block
    has mixed. Windows that hold nothing of the frame stay here, while servers compute.

    Args:
        cloud: The servers.
        frame: (H, W, 3) in [0, 1]; rounded to 8 bits.
        assignment: Per server its windows. Together they must hold the frame.
        weights: Which network.
        dtype: How tokens travel both ways, `float32` or `float16`.

    Raises:
        DisclosureError: A server would get more of the frame than the defense may give; nothing was sent.
        ValueError: The assignment does not fit, or the network does not begin with a window block.
        ServerLost: A server does not answer.
    """
    calls = calls_of(cloud)
    network = calls.networks.network(weights)
    encoder, grid = network.image_encoder, window_grid(network.image_encoder)
    size = (frame.shape[0], frame.shape[1])
    active = grid.active(size)
    home = [window for window in grid.windows if window not in active]
    order = {server: tuple(sorted(windows)) for server, windows in assignment.items() if windows}
    runs = window_runs(encoder)
    if not runs or runs[0][0]:
        raise ValueError(f"the network {weights!r} does not begin with a window block")
    with calls.clock.preparing():
        pixels = to_uint8(frame)
        calls.give(pixels_per_server(assignment, size, grid))
        payloads = window_payloads(network, pixels, assignment, "pixels")
    # What holds nothing of the frame is the same as on an empty canvas; the rest comes back from the servers.
    blank = encoder.pos_embed.new_zeros(1, 3, *grid.canvas)
    mixed = (encoder.patch_embed(blank) + encoder.pos_embed) if home else encoder.pos_embed
    ends = [first for first, _ in runs[1:]] + [len(encoder.blocks)]
    for (first, last), end in zip(runs, ends, strict=True):
        apart = dict(zip(grid.windows, grid.partition(mixed), strict=True))
        arguments = {"weights": weights, "reply": dtype, "last": str(last)}
        if first:
            with calls.clock.preparing():
                payloads = _token_payloads(apart, order, size, dtype)
            arguments["first"] = str(first)
        pendings = calls.send(payloads, "run_blocks" if first else "start_windows", arguments)
        calls.streamed.update((server, pending.sequence) for server, pending in pendings.items())
        if home:
            kept = torch.stack([apart[window] for window in home])
            apart.update(zip(home, run_window_blocks(encoder, kept, home, grid, first, last), strict=True))
        apart.update(gather_windows(pendings, order, network))
        together = torch.stack([apart[window].to(mixed) for window in grid.windows])
        mixed = run_blocks(encoder, grid.unpartition(together), last, end)
    return Embedding(features=encoder.neck(mixed.permute(0, 3, 1, 2)), network=network)


def _token_payloads(apart: Any, order: Assignment, frame: tuple[int, int], dtype: str) -> dict[int, Payload]:
    return {
        server: {
            "tokens": to_dtype(
                torch.stack([apart[window] for window in windows]).float().cpu().numpy(), dtype
            ),
            "positions": np.array(windows, np.int32),
            "frame": np.array(frame, np.int32),
        }
        for server, windows in order.items()
    }
