"""The window stage on servers, with messages, computation and replies that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import torch

from pedbench.offload.integrity.spot_checks import SentWindows
from pedbench.offload.operations.payload_fields import reply_form
from pedbench.offload.operations.tiles import Bytes, embed_tiles, stages
from pedbench.offload.passes.call import Pending, RemoteError, in_arrival_order
from pedbench.offload.passes.calls import Calls
from pedbench.offload.passes.scatter import gather_windows, payload_form, pixels_per_server, window_payloads
from pedbench.offload.servers.fleet import ServerLost
from pedbench.offload.wire.messages import WireError
from pedbench.pictures.frame import to_uint8
from pedbench.types import Assignment, Payload, Picture, Window


def stream_windows(
    calls: Calls,
    frame: Picture,
    assignment: Assignment,
    *,
    home: Sequence[Window],
    weights: str,
    payload: str,
    reply: str,
    chunk: int,
) -> torch.Tensor:
    """Run the window stage on the servers; see `Cloud.encode_windows`."""
    content, codec = payload_form(payload)
    dtype, reply_codec = reply_form(reply)
    network = calls.networks.network(weights)
    stage = stages(network)[0]
    size = (frame.shape[0], frame.shape[1])
    with calls.clock.preparing():
        pixels = to_uint8(frame)
        calls.check_servers(assignment)
        calls.give(pixels_per_server(assignment, size, stage.grid, home))
    if calls.lies is not None:
        calls.lies.begin(assignment)
    sent: dict[Pending, tuple[Window, ...]] = {}
    payloads: dict[Pending, Payload] = {}
    operation = "encode_windows" if content == "pixels" else "encode_window_tokens"
    arguments = {"weights": weights, "reply": dtype}
    for server, windows in chunks(assignment, chunk):
        with calls.clock.preparing():
            to_send = window_payloads(network, pixels, {server: windows}, content)
        pending = calls.send(
            to_send,
            operation,
            arguments,
            codecs={"pixels": codec} if codec else {},
            reply=reply_codec,
        )[server]
        calls.streamed.add((server, pending.sequence))
        sent[pending], payloads[pending] = windows, to_send[server]
    with calls.clock.overlapping():
        encoded = encode_here(network, pixels, home)
    lost: list[Window] = []
    for pending in in_arrival_order(sent):
        with calls.clock.reading(pending.sequence):
            try:
                encoded.update(gather_windows({0: pending}, {0: sent[pending]}, network))
            except (ServerLost, RemoteError, WireError) as error:
                calls.lose(pending.server, error)
                lost += sent[pending]
    returned = {window: tokens for window, tokens in encoded.items() if window not in home}
    messages = [
        SentWindows(
            server=pending.server,
            windows=sent[pending],
            payload=payloads[pending],
            codec=codec,
            operation=calls.servers.operations[operation],
            arguments=arguments,
        )
        for pending in sent
    ]
    for server, integrity_error in calls.spot_checks.liars(
        messages, returned, calls.networks, reply_codec
    ).items():
        calls.lose(server, integrity_error)
        lost += [window for each in messages if each.server == server for window in each.windows]
    lost = sorted(set(lost))
    encoded.update(encode_here(network, pixels, lost))
    return stage.assemble(encoded, size)


def chunks(assignment: Assignment, size: int) -> list[tuple[int, tuple[Window, ...]]]:
    """Split windows into messages: the first windows of every server, then the next of every server, and so on.

    Args:
        assignment: The windows of each server.
        size: Number of windows per message; 0 for one message per server.

    Returns:
        Server and windows of each message in the order of sending; the windows are in reading order.
    """
    parts = []
    for server, windows in assignment.items():
        ordered, step = tuple(sorted(windows)), size or max(1, len(windows))
        parts.append([(server, ordered[first : first + step]) for first in range(0, len(ordered), step)])
    return [part for turn in zip_longest(*parts) for part in turn if part is not None]


def encode_here(network: Any, pixels: Bytes, windows: Sequence[Window]) -> dict[Window, torch.Tensor]:
    """Run the window stage on the edge for windows of an (H, W, 3) frame; return (window, window, C) tokens of each."""
    if not windows:
        return {}
    stage = stages(network)[0]
    crops = [pixels[stage.grid.tile(window, pixels.shape[:2]).slices] for window in windows]
    return dict(zip(windows, stage(embed_tiles(network, crops), windows), strict=True))
