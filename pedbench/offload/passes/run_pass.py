"""One pass of a defense over one frame: the run that is timed is the run that is attacked and scored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pedbench.base import Defense, Embedding, Networks
from pedbench.errors import AuditError
from pedbench.host.determinism import without_onednn
from pedbench.host.device import synchroniser
from pedbench.models.sam.stages import window_grid
from pedbench.network.emulated_link import Transport
from pedbench.network.links import LOOPBACK, Link, find_link
from pedbench.offload.integrity.dishonest_replies import Lies
from pedbench.offload.integrity.spot_checks import SpotChecks
from pedbench.offload.passes.call import Pending
from pedbench.offload.passes.calls import DEADLINE, OnLost
from pedbench.offload.passes.cloud import Cloud
from pedbench.offload.passes.disclosure_ledger import Ledger, Session
from pedbench.offload.passes.edge import Edge
from pedbench.offload.passes.timing import Clock, PassTimes, lower_bound, turn_times, wall_times
from pedbench.offload.servers.fleet import Servers
from pedbench.offload.servers.wiretap import Tapped, digest, read_messages, with_contents
from pedbench.pictures.frame import to_uint8
from pedbench.types import Exchange, Picture, Received


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What came of one pass.

    Attributes:
        embedding: For the mask decoder.
        rounds: All calls in the order of sending, by round.
        clock: What the edge noted of the pass.
        link: What was between edge and servers; nothing but this host while they take turns.
        composed: Whether the servers took turns.
        received: The wiretaps of all servers.
        streamed: Server and sequence of the messages whose bytes the harness made itself: tokens, and what codecs
            wrote.
        lost: Why a server was given up, by its index, and windows of it computed on the edge. Such a pass is
            degraded, and its times are none of the defense.
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
        """Seconds by phase.

        Args:
            link: Where the servers took turns, the link that the pass is composed for; loopback without it.
            seed: Of that link's jitter and losses.
        """
        if self.composed:
            return turn_times(self.rounds, self.clock, link or self.link, seed)
        if link not in (None, self.link):
            raise ValueError(f"this pass was measured over {self.link.name}, it cannot tell of {link.name}")
        return wall_times(self.rounds, self.clock)

    def lower_bound(self, link: Link | None = None) -> float:
        """Seconds that no order of its messages could fall below; see `timing.lower_bound` and `times`."""
        return lower_bound(self.rounds, self.clock, link or self.link)


@dataclass(frozen=True, kw_only=True)
class PassSettings:
    """Conditions of one pass that are no part of the defense.

    Attributes:
        request: Which of the k requests of the scene this is.
        link: What lies between edge and servers; this host's loopback without it.
        seed: Of the link's jitter and losses.
        deadline: Seconds until a reply must be here.
        on_lost: What becomes of windows whose tokens do not come back.
        max_share: The largest share of the frame that one server may get, if that is less than the defense says.
        session: Further passes over what the same camera sees; what servers got in those counts, too.
        spot_checks: Windows that the edge computes, too; none without them.
        lies: What some servers return in the place of tokens; all are as they are without it.
    """

    request: int = 0
    link: Link | None = None
    seed: int = 0
    deadline: float = DEADLINE
    on_lost: OnLost = "fail"
    max_share: float = math.inf
    session: Session | None = None
    spot_checks: SpotChecks | None = None
    lies: Lies | None = None


def run_pass(
    defense: Defense,
    frame: Picture,
    servers: Servers,
    networks: Networks,
    rng: np.random.Generator,
    settings: PassSettings | None = None,
) -> Pass:
    """Embed a frame under a defense, and fetch what the servers saw of it.

    Servers that were given up are not asked any more; what was sent to them counts as received. They have to be
    replaced before the next pass, as nobody knows what they are still at.

    Args:
        defense: The defense.
        frame: (H, W, 3) in [0, 1], every value a multiple of 1/255.
        servers: At least as many as the defense calls.
        networks: The edge's models.
        rng: All of the pass's randomness.
        settings: How the pass is run; the defaults of `PassSettings` without it.

    Raises:
        ServerLost: A server died or missed its deadline.
        IntegrityError: One returned other tokens than were computed here.
        AuditError: Edge and servers tell of different messages.
        DisclosureError: The defense tried to send more than it may; nothing of that was sent.
        ValueError: The frame's values are not those of an 8-bit picture.
    """
    settings = settings or PassSettings()
    size = frame.shape[:2]
    if np.abs(frame * 255 - to_uint8(frame)).max() > 1e-3:
        raise ValueError("expected a frame whose values are multiples of 1/255")
    grid = window_grid(networks.network("original").image_encoder)
    servers.forget()
    link = settings.link or find_link(LOOPBACK)
    if servers.turns and link.emulated:
        raise ValueError("while servers take turns no link is emulated: compose the pass with `times`")
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
            request=settings.request,
            clock=clock,
            transport=transport,
            deadline=settings.deadline,
            on_lost=settings.on_lost,
            spot_checks=settings.spot_checks,
            lies=settings.lies,
        )
        try:
            with without_onednn(networks.exact), clock, torch.inference_mode():
                embedding = defense.embed(frame, edge, cloud)
                cloud.settle()
        finally:
            cloud.abandon()
    kept = with_contents(servers.collect(without=cloud.lost), [pending.data for pending in cloud.sent()])
    taps = [cloud.sent_to(server) if server in cloud.lost else tapped for server, tapped in enumerate(kept)]
    received = [
        message
        for server, tapped in enumerate(taps)
        for message in read_messages(server, tapped, servers.operations, cloud.streamed)
    ]
    # Messages that come at once are spooled in any order; views must not depend on it.
    received.sort(key=lambda message: (message.server, message.sequence))
    servers.forget(without=cloud.lost)
    check_bytes(
        [each for exchanges in cloud.rounds for each in exchanges if each.server not in cloud.lost],
        [message for message in received if message.server not in cloud.lost],
    )
    check_contents([each for each in cloud.sent() if each.server not in cloud.lost], kept)
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


def check_contents(sent: Sequence[Pending], taps: Sequence[Sequence[Tapped]]) -> None:
    """Compare what the edge sent and got with what the servers say they got and sent, in every byte.

    Raises:
        AuditError: A message or a reply is another at the other end.
    """
    for pending in sent:
        found = [tapped for tapped in taps[pending.server] if tapped.digest_in == digest(pending.data)]
        if not found:
            raise AuditError(
                f"server {pending.server} received another message {pending.sequence} than was sent to it"
            )
        if pending.reply is not None and digest(pending.reply) not in {each.digest_out for each in found}:
            raise AuditError(
                f"server {pending.server} sent another reply to message {pending.sequence} than has come"
            )
