"""What one pass over a frame took, told apart by phase.

Rounds follow each other: a round is a set of exchanges that were all sent before the edge waited for any.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pedbench.links import Link
from pedbench.offload.transport import link_queues
from pedbench.types import Exchange

Interval = tuple[float, float]
"""Start and end in seconds on the host's monotonic clock."""


@dataclass(frozen=True, kw_only=True)
class PassTimes:
    """Seconds of one pass; the phases sum up to `total`.

    Attributes:
        prepare: Making the payloads, while no message is under way.
        uplink: Until the server that decides the round has its message.
        server: Until that server has its result, its wait for cores included.
        downlink: Until the edge has the reply.
        edge: All else, which is the edge's part of the model.
    """

    prepare: float
    uplink: float
    server: float
    downlink: float
    edge: float

    @property
    def total(self) -> float:
        """The sum of the phases."""
        return self.prepare + self.uplink + self.server + self.downlink + self.edge


@dataclass(kw_only=True)
class Clock:
    """Times one pass: from entering the context to leaving it.

    Attributes:
        settle: Waits until the edge has computed what it was told to; called wherever a phase ends, as an
            accelerator computes on by itself.
    """

    settle: Callable[[], None] = lambda: None
    start: float = 0.0
    stop: float = 0.0
    prepare: list[Interval] = field(default_factory=list)

    def __enter__(self) -> Clock:
        self.start = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()
        self.stop = time.monotonic()

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Attribute what happens inside to the phase `prepare`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.settle()
            self.prepare.append((start, time.monotonic()))


def wall_times(rounds: Sequence[Sequence[Exchange]], clock: Clock) -> PassTimes:
    """The pass as it happened, all servers sharing this host or each on its own.

    A round is attributed to the server whose reply came last.

    Args:
        rounds: The pass's exchanges.
        clock: The pass's clock.
    """
    uplink = server = downlink = 0.0
    busy = []
    free = clock.start
    for exchanges in rounds:
        last = max(exchanges, key=lambda exchange: exchange.replied)
        sent = max(free, min(exchange.sent for exchange in exchanges))
        received, finished, replied = (max(sent, at) for at in (last.received, last.finished, last.replied))
        uplink += received - sent
        server += finished - received
        downlink += replied - finished
        busy.append((sent, replied))
        free = replied
    return _with_edge(clock, busy, uplink, server, downlink)


def turn_times(rounds: Sequence[Sequence[Exchange]], clock: Clock, link: Link, seed: int = 0) -> PassTimes:
    """The pass composed as if every server had had a host of its own, behind a link.

    The exchanges were made one at a time over this host's loopback, each server computing alone. Composed, the
    messages of a round are sent at once: they share the link, each server computes in the order in which its messages
    arrive, and replies share the link back. Waiting for one's turn does not count. A round is attributed to the
    server whose reply comes last.

    Args:
        rounds: The pass's exchanges, made while servers took turns.
        clock: The pass's clock.
        link: What lies between; see `transport` for its model.
        seed: Of the link's jitter and losses.
    """
    uplink = server = downlink = 0.0
    for exchanges in rounds:
        up, down = link_queues(link, seed)
        free: dict[int, float] = {}
        computed = []
        for exchange in exchanges:
            arrival = up.send(0.0, exchange.bytes_up, exchange.server, exchange.sequence)
            arrival += exchange.received - exchange.sent
            start = max(arrival, free.get(exchange.server, 0.0))
            finish = free[exchange.server] = start + exchange.finished - exchange.started
            computed.append((finish + exchange.replied - exchange.finished, arrival, finish, exchange))
        replies = []
        for ready, arrival, finish, exchange in sorted(computed, key=lambda each: each[0]):
            replied = down.send(ready, exchange.bytes_down, exchange.server, exchange.sequence)
            replies.append((replied, arrival, finish))
        replied, arrival, finish = max(replies)
        uplink, server, downlink = uplink + arrival, server + finish - arrival, downlink + replied - finish
    busy = [(exchange.sent, exchange.replied) for exchanges in rounds for exchange in exchanges]
    return _with_edge(clock, busy, uplink, server, downlink)


def _with_edge(
    clock: Clock, busy: list[Interval], uplink: float, server: float, downlink: float
) -> PassTimes:
    waiting = _length(busy)
    prepare = _length([*busy, *clock.prepare]) - waiting
    edge = clock.stop - clock.start - waiting - prepare
    return PassTimes(prepare=prepare, uplink=uplink, server=server, downlink=downlink, edge=edge)


def _length(intervals: Iterable[Interval]) -> float:
    """Length of the union."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
