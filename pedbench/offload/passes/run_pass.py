"""One pass of a defense over one frame. The same pass is timed, attacked and scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from pedbench.base import Defense, Embedding, Networks
from pedbench.host.determinism import without_onednn
from pedbench.host.device import synchroniser
from pedbench.models.sam.stages import window_grid
from pedbench.network.emulated_link import Transport
from pedbench.network.links import LOOPBACK, Link, find_link
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.cloud import Cloud
from pedbench.offload.passes.disclosure_ledger import Ledger, Session
from pedbench.offload.passes.edge import Edge
from pedbench.offload.passes.tap_checks import check_bytes, check_contents
from pedbench.offload.passes.timing import Clock, PassTimes, lower_bound, turn_times, wall_times
from pedbench.offload.servers.fleet import Servers
from pedbench.offload.servers.wiretap import read_messages, with_contents
from pedbench.pictures.frame import to_uint8
from pedbench.types import Exchange, Picture, Received


@dataclass(frozen=True, kw_only=True)
class Pass:
    """The result of one pass.

    Attributes:
        embedding: The embedding for the mask decoder.
        rounds: All calls in the order of sending, by round.
        clock: The edge's clock with its intervals.
        link: The link between edge and servers; loopback if the servers took turns.
        composed: Whether the servers took turns, so that times are composed for a link.
        received: All messages that the servers received, from their wiretaps.
        streamed: Server and sequence number of messages whose bytes the harness made itself: tokens, and arrays
            that a codec encoded.
        lost: Reason for each lost server, by its index; the edge computed its windows. Such a pass is degraded, and
            its times are not times of the defense.
    """

    embedding: Embedding
    rounds: tuple[tuple[Exchange, ...], ...]
    clock: Clock
    link: Link
    composed: bool
    received: tuple[Received, ...]
    streamed: frozenset[tuple[int, int]]
    lost: Mapping[int, str]

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All calls in the order of sending."""
        return tuple(exchange for exchanges in self.rounds for exchange in exchanges)

    def times(self, link: Link | None = None, seed: int = 0) -> PassTimes:
        """Return the seconds of each phase.

        Args:
            link: The link for which a pass with turns is composed; by default the pass's own.
            seed: Seed of the link's jitter and losses.

        Raises:
            ValueError: The pass was measured over a different link.
        """
        if self.composed:
            return turn_times(self.rounds, self.clock, link or self.link, seed)
        if link not in (None, self.link):
            raise ValueError(f"this pass was measured over {self.link.name}, it has no times for {link.name}")
        return wall_times(self.rounds, self.clock)

    def lower_bound(self, link: Link | None = None) -> float:
        """Return the seconds below which no order of messages could fall; see `timing.lower_bound`."""
        return lower_bound(self.rounds, self.clock, link or self.link)


def run_pass(
    defense: Defense,
    frame: Picture,
    servers: Servers,
    networks: Networks,
    rng: np.random.Generator,
    settings: PassSettings | None = None,
) -> Pass:
    """Embed a frame with a defense, and fetch the messages that the servers received.

    Lost servers get no further calls, and everything that was sent to them counts as received. Replace them before the
    next pass: they may still be computing.

    Args:
        defense: The defense.
        frame: (H, W, 3) float32 in [0, 1], every value a multiple of 1/255; the defense cannot write into it.
        servers: At least as many servers as the defense calls.
        networks: The edge's models.
        rng: The source of all randomness of the pass.
        settings: Conditions of the pass; by default `PassSettings()`.

    Raises:
        ServerLost: A server died or missed its deadline.
        IntegrityError: A server returned tokens that differ from those computed on the edge.
        AuditError: The messages that the edge sent differ from those that the servers recorded.
        DisclosureError: The defense tried to send more than it may; that message was not sent.
        ValueError: The frame's values are not those of an 8-bit picture.
    """
    settings = settings or PassSettings()
    frame = frame.view()
    frame.flags.writeable = False
    size = frame.shape[:2]
    if np.abs(frame * 255 - to_uint8(frame)).max() > 1e-3:
        raise ValueError("expected a frame whose values are multiples of 1/255")
    grid = window_grid(networks.network("original").image_encoder)
    servers.forget()
    link = settings.link or find_link(LOOPBACK)
    if servers.turns and link.emulated:
        raise ValueError("no link is emulated while servers take turns: compose the pass with `times`")
    clock = Clock(settle=synchroniser(networks.network("original").pixel_mean.device))
    edge = Edge(networks=networks, rng=rng, request=settings.request, clock=clock)
    ledger = Ledger(
        frame=(size[0], size[1]),
        networks=networks,
        operations=servers.operations,
        max_share=min(settings.max_share, defense.max_share(size, grid)),
        session=settings.session or Session(),
    )
    with Transport(link, settings.seed) as transport:
        cloud = Cloud(
            servers,
            count=defense.servers,
            networks=networks,
            ledger=ledger,
            clock=clock,
            transport=transport,
            settings=settings,
        )
        try:
            with without_onednn(networks.exact), clock, torch.inference_mode():
                embedding = defense.embed(frame, edge, cloud)
                cloud.settle()
            if not isinstance(embedding, Embedding):
                found = f"`embed` of {defense.name} returned {type(embedding).__name__}"
                raise TypeError(f"{found}: return the Embedding that `edge` or `cloud` gives")
        finally:
            cloud.abandon()
    recorded = with_contents(servers.collect(skip=cloud.lost), [pending.data for pending in cloud.sent()])
    taps = [
        cloud.sent_to(server) if server in cloud.lost else tapped for server, tapped in enumerate(recorded)
    ]
    received = [
        message
        for server, tapped in enumerate(taps)
        for message in read_messages(server, tapped, servers.operations, cloud.streamed)
    ]
    # The order in which concurrent messages are recorded is random; views must not depend on it.
    received.sort(key=lambda message: (message.server, message.sequence))
    servers.forget(skip=cloud.lost)
    check_bytes(
        [each for exchanges in cloud.rounds for each in exchanges if each.server not in cloud.lost],
        [message for message in received if message.server not in cloud.lost],
    )
    check_contents([each for each in cloud.sent() if each.server not in cloud.lost], recorded)
    ledger.compare(received, cloud.lost)
    return Pass(
        embedding=embedding,
        rounds=servers.on_edge_clock(cloud.rounds),
        clock=clock,
        link=link,
        composed=servers.turns,
        received=tuple(received),
        streamed=frozenset(cloud.streamed),
        lost=dict(cloud.lost),
    )
