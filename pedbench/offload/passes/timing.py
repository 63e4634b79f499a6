"""What one pass over a frame took, told apart by phase.

Rounds follow each other: a round is a set of exchanges that were all sent before the edge waited for any.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from pedbench.network.emulated_link import link_queues
from pedbench.network.links import Link
from pedbench.types import Exchange

Interval = tuple[float, float]
"""Start and end in seconds on the host's monotonic clock."""

Rounds = Sequence[Sequence[Exchange]]


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
        prepare: When payloads were made.
        beside: When the edge did what need not wait for any reply that was under way.
        read: When a reply was read, by its exchange's sequence; that waits for no other reply.
        settle: Waits until the edge has computed what it was told to; called wherever a phase ends, as an
            accelerator computes on by itself.
    """

    settle: Callable[[], None] = lambda: None
    start: float = 0.0
    stop: float = 0.0
    prepare: list[Interval] = field(default_factory=list)
    beside: list[Interval] = field(default_factory=list)
    read: dict[int, list[Interval]] = field(default_factory=dict)

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

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        """Note that what happens inside waits for no reply."""
        start = time.monotonic()
        yield
        self.settle()
        self.beside.append((start, time.monotonic()))

    @contextmanager
    def reading(self, sequence: int) -> Iterator[None]:
        """Note that what happens inside waits for one reply alone, which is there."""
        start = time.monotonic()
        yield
        self.settle()
        self.read[sequence] = [(start, time.monotonic())]


def wall_times(rounds: Rounds, clock: Clock) -> PassTimes:
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
    prepare = _length([*busy, *clock.prepare]) - _length(busy)
    edge = clock.stop - clock.start - _length(busy) - prepare
    return PassTimes(prepare=prepare, uplink=uplink, server=server, downlink=downlink, edge=edge)


def turn_times(rounds: Rounds, clock: Clock, link: Link, seed: int = 0) -> PassTimes:
    """The pass composed as if every server had had a host of its own, behind a link.

    The exchanges were made one at a time over this host's loopback, each server computing alone. Composed, the edge
    sends on without waiting: messages share the link, each server computes in the order in which its messages
    arrive, replies share the link back, and each is read when it is there. Waiting for one's turn does not count. A
    round is attributed to the server whose reply comes last.

    Args:
        rounds: The pass's exchanges, made while servers took turns.
        clock: The pass's clock.
        link: What lies between; see `transport` for its model.
        seed: Of the link's jitter and losses.
    """
    busy = _busy(rounds)
    hidden = list(busy)
    uplink = server = downlink = behind = 0.0
    for exchanges, beside in zip(rounds, _beside(rounds, clock), strict=True):
        up, down = link_queues(link, seed)
        free: dict[int, float] = {}
        computed = []
        sending, handed = exchanges[0].sent, 0.0
        for exchange in exchanges:
            handed = _length([*busy, (sending, exchange.sent)]) - _length(busy)
            arrival = up.send(handed, exchange.bytes_up, exchange.server, exchange.sequence)
            arrival += exchange.received - exchange.sent
            start = max(arrival, free.get(exchange.server, 0.0))
            finish = free[exchange.server] = start + exchange.finished - exchange.started
            computed.append((finish + exchange.replied - exchange.finished, arrival, finish, exchange))
        replies = []
        for ready, arrival, finish, exchange in sorted(computed, key=lambda each: each[0]):
            replied = down.send(ready, exchange.bytes_down, exchange.server, exchange.sequence)
            replies.append((replied, arrival, finish, exchange.sequence))
        done = handed + _length(beside)
        replies.sort()
        for replied, _, _, sequence in replies:
            done = max(done, replied) + _length(clock.read.get(sequence, ()))
        replied, arrival, finish, _ = replies[-1]
        uplink, server, downlink = uplink + arrival, server + finish - arrival, downlink + replied - finish
        behind += done - replied
        hidden += [(sending, exchanges[-1].sent), *beside, *_reads(exchanges, clock)]
    prepare = _length([*hidden, *clock.prepare]) - _length(hidden)
    edge = clock.stop - clock.start - _length(hidden) - prepare + behind
    return PassTimes(prepare=prepare, uplink=uplink, server=server, downlink=downlink, edge=edge)


def lower_bound(rounds: Rounds, clock: Clock, link: Link) -> float:
    """Seconds that no order of a pass's messages could fall below, given what each step took.

    In every round messages go there and back, and meanwhile one of these works without a pause: the link up or down
    on all bytes, a server on all its windows, or the edge on what waits for no reply. Else the edge is alone.

    Args:
        rounds: The pass's exchanges.
        clock: The pass's clock.
        link: What lies between edge and servers.
    """
    apart = _busy(rounds)
    seconds = 0.0
    for exchanges, beside in zip(rounds, _beside(rounds, clock), strict=True):
        sending = (exchanges[0].sent, exchanges[-1].sent)
        made = [each for each in clock.prepare if sending[0] <= each[0] <= sending[1]]
        own = [*made, *beside, *_reads(exchanges, clock)]
        apart += [sending, *own]
        computing: dict[int, float] = defaultdict(float)
        for exchange in exchanges:
            computing[exchange.server] += exchange.finished - exchange.started
        up = sum(link.up.seconds(exchange.bytes_up) for exchange in exchanges)
        down = sum(link.down.seconds(exchange.bytes_down) for exchange in exchanges)
        trip = sum(way.delay - way.jitter for way in (link.up, link.down)) / 1000
        seconds += max(trip + max(up, down, *computing.values()), _length(own))
    return clock.stop - clock.start - _length(apart) + seconds


def _busy(rounds: Rounds) -> list[Interval]:
    return [(exchange.sent, exchange.replied) for exchanges in rounds for exchange in exchanges]


def _beside(rounds: Rounds, clock: Clock) -> list[list[Interval]]:
    """By round what the edge did beside its messages."""
    starts = [*(exchanges[0].sent for exchanges in rounds), float("inf")]
    return [[each for each in clock.beside if start <= each[0] < end] for start, end in pairwise(starts)]


def _reads(exchanges: Sequence[Exchange], clock: Clock) -> list[Interval]:
    return [each for exchange in exchanges for each in clock.read.get(exchange.sequence, ())]


def _length(intervals: Iterable[Interval]) -> float:
    """Length of the union."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
