"""One pass of a defense over one frame: the run that is timed is the run that is attacked and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pedbench.base import Defense, Embedding, Networks
from pedbench.models.stages import window_grid
from pedbench.offload.cloud import Cloud
from pedbench.offload.edge import Edge
from pedbench.offload.tiles import to_bytes
from pedbench.offload.timing import Clock, PassTimes, turn_times, wall_times
from pedbench.offload.virtual import VirtualServers
from pedbench.offload.wiretap import read_messages
from pedbench.reproducible import without_onednn
from pedbench.types import Exchange, Picture, Received


class AuditError(RuntimeError):
    """Edge and servers disagree about what crossed the wire."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What came of one pass.

    Attributes:
        embedding: For the mask decoder.
        exchanges: All calls in the order of sending.
        times: Seconds by phase; composed if the servers took turns.
        composed: Whether they did.
        received: The wiretaps of all servers.
        streamed: Server and sequence of the messages whose tokens the harness made itself.
    """

    embedding: Embedding
    exchanges: tuple[Exchange, ...]
    times: PassTimes
    composed: bool
    received: tuple[Received, ...]
    streamed: frozenset[tuple[int, int]]


def run_pass(
    defense: Defense,
    frame: Picture,
    servers: VirtualServers,
    networks: Networks,
    rng: np.random.Generator,
    *,
    request: int = 0,
) -> Pass:
    """Embed a frame under a defense, and fetch what the servers saw of it.

    Args:
        defense: The defense.
        frame: (H, W, 3) in [0, 1], every value a multiple of 1/255.
        servers: At least as many as the defense calls.
        networks: The edge's models.
        rng: All of the pass's randomness.
        request: Which of the k requests of the scene this is.

    Raises:
        ServerLost: A server died or missed its deadline.
        AuditError: Edge and servers count different messages or bytes.
        DisclosureError: The defense tried to send more than it may; nothing of that was sent.
        ValueError: The frame's values are not those of an 8-bit picture.
    """
    size = frame.shape[:2]
    if np.abs(frame * 255 - to_bytes(frame)).max() > 1e-3:
        raise ValueError("expected a frame whose values are multiples of 1/255")
    grid = window_grid(networks.network("original").image_encoder)
    servers.forget()
    clock = Clock()
    cloud = Cloud(
        servers,
        count=defense.servers,
        networks=networks,
        frame_size=size,
        max_share=defense.max_share(size, grid),
        request=request,
        clock=clock,
    )
    edge = Edge(networks=networks, rng=rng, request=request, clock=clock)
    try:
        with without_onednn(), clock, torch.inference_mode():
            embedding = defense.embed(frame, edge, cloud)
            cloud.settle()
    finally:
        cloud.abandon()
    received = [
        message
        for server, tapped in enumerate(servers.collect())
        for message in read_messages(server, tapped, servers.operations)
    ]
    servers.forget()
    exchanges = tuple(exchange for exchanges in cloud.rounds for exchange in exchanges)
    check_bytes(exchanges, received)
    return Pass(
        embedding=embedding,
        exchanges=exchanges,
        times=(turn_times if servers.turns else wall_times)(cloud.rounds, clock),
        composed=servers.turns,
        received=tuple(received),
        streamed=frozenset(cloud.streamed),
    )


def check_bytes(exchanges: Sequence[Exchange], received: Sequence[Received]) -> None:
    """Compare what the edge says it exchanged with what the servers say.

    Messages that no schema explains may be unknown to the edge: they count as the whole frame anyway.

    Raises:
        AuditError: A message is missing, unknown to the edge, or of another length at the other end.
    """
    sent = {(e.server, e.request, e.sequence): (e.operation, e.bytes_up, e.bytes_down) for e in exchanges}
    for message in received:
        key = (message.server, message.request, message.sequence)
        found = (message.operation, message.bytes_in, message.bytes_out)
        expected = sent.pop(key, None)
        if expected != found and not (expected is None and message.unexplained):
            raise AuditError(
                f"server {message.server}, message {message.sequence}: the server has {found} "
                f"(operation, bytes in, bytes out), the edge knows {expected or 'nothing of it'}"
            )
    if sent:
        raise AuditError(f"the edge sent messages that no server has: {sorted(sent)}")
