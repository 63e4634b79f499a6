"""Duration of one pass over a frame by phase.

A pass consists of rounds: the exchanges of a round are all sent before the edge waits for a reply of any of them.
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
    """Seconds of one pass by phase. Each round counts for the server whose reply arrives last.

    Attributes:
        prepare: Time to make payloads while no message is under way.
        uplink: Time until that server has its message.
        server: Time until that server has its result, including waiting for cores.
        downlink: Time until the edge has the reply.
        edge: The remaining time: the edge's part of the model.
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
    """Clock of one pass, from entering the context to leaving it.

    Attributes:
        settle: Blocks until the edge's accelerator has finished; called at the end of each phase.
        start: Start of the pass in seconds on the host's monotonic clock.
        stop: End of the pass.
        prepare: Intervals in which payloads were made.
        overlapped: Intervals in which the edge computed while replies were pending, without needing them.
        read: Intervals in which a reply was processed, by the sequence number of its exchange.
    """

    settle: Callable[[], None] = lambda: None
    start: float = 0.0
    stop: float = 0.0
    prepare: list[Interval] = field(default_factory=list)
    overlapped: list[Interval] = field(default_factory=list)
    read: dict[int, list[Interval]] = field(default_factory=dict)

    def __enter__(self) -> Clock:
        self.start = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()
        self.stop = time.monotonic()

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Attribute the time of the block to the phase `prepare`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.settle()
            self.prepare.append((start, time.monotonic()))

    @contextmanager
    def overlapping(self) -> Iterator[None]:
        """Record the block as computation that needs no reply."""
        start = time.monotonic()
        yield
        self.settle()
        self.overlapped.append((start, time.monotonic()))

    @contextmanager
    def reading(self, sequence: int) -> Iterator[None]:
        """Record the block as processing of one reply, which has arrived."""
        start = time.monotonic()
        yield
        self.settle()
        self.read[sequence] = [(start, time.monotonic())]


def wall_times(rounds: Rounds, clock: Clock) -> PassTimes:
    """Return the times of a pass as it happened."""
    uplink = server = downlink = 0.0
    busy = []
    free = clock.start
    for exchanges in rounds:
        last = max(exchanges, key=lambda exchange: exchange.replied)
        sent = max(free, min(exchange.sent for exchange in exchanges))
        received, finished, replied = (
            max(sent, moment) for moment in (last.received, last.finished, last.replied)
        )
        uplink += received - sent
        server += finished - received
        downlink += replied - finished
        busy.append((sent, replied))
        free = replied
    prepare = _length([*busy, *clock.prepare]) - _length(busy)
    edge = clock.stop - clock.start - _length(busy) - prepare
    return PassTimes(prepare=prepare, uplink=uplink, server=server, downlink=downlink, edge=edge)


def turn_times(rounds: Rounds, clock: Clock, link: Link, seed: int = 0) -> PassTimes:
    """Compose the times of a pass as if each server had its own host at the other end of a link.

    The exchanges were made one at a time over this host's loopback, so that each server computed alone. In the
    composed pass the edge sends without waiting. Messages share the link, each server computes its messages in the
    order of arrival, replies share the link back, and the edge processes each reply when it arrives. Waiting for a turn
    does not count.

    Args:
        rounds: The exchanges of a pass whose servers took turns.
        link: The link between edge and servers; see `pedbench.network.emulated_link` for its model.
        seed: Seed of the link's jitter and losses.
    """
    busy = _busy(rounds)
    hidden = list(busy)
    uplink = server = downlink = trailing = 0.0
    for exchanges, overlapped in zip(rounds, _overlapped(rounds, clock), strict=True):
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
        done = handed + _length(overlapped)
        replies.sort()
        for replied, _, _, sequence in replies:
            done = max(done, replied) + _length(clock.read.get(sequence, ()))
        replied, arrival, finish, _ = replies[-1]
        uplink, server, downlink = uplink + arrival, server + finish - arrival, downlink + replied - finish
        trailing += done - replied
        hidden += [(sending, exchanges[-1].sent), *overlapped, *_reads(exchanges, clock)]
    prepare = _length([*hidden, *clock.prepare]) - _length(hidden)
    edge = clock.stop - clock.start - _length(hidden) - prepare + trailing
    return PassTimes(prepare=prepare, uplink=uplink, server=server, downlink=downlink, edge=edge)


def lower_bound(rounds: Rounds, clock: Clock, link: Link) -> float:
    """Return the seconds below which no order of a pass's messages could fall, given the duration of each step.

    A round takes at least one trip there and back, plus the time of its bottleneck: the link up or down for all bytes,
    or the server with most work. It also takes at least the edge's own work of that round. Between rounds the edge
    works alone.

    Args:
        rounds: The exchanges of a pass whose servers took turns.
    """
    within_rounds = _busy(rounds)
    seconds = 0.0
    for exchanges, overlapped in zip(rounds, _overlapped(rounds, clock), strict=True):
        sending = (exchanges[0].sent, exchanges[-1].sent)
        prepared = [each for each in clock.prepare if sending[0] <= each[0] <= sending[1]]
        own = [*prepared, *overlapped, *_reads(exchanges, clock)]
        within_rounds += [sending, *own]
        computing: dict[int, float] = defaultdict(float)
        for exchange in exchanges:
            computing[exchange.server] += exchange.finished - exchange.started
        up = sum(link.up.seconds(exchange.bytes_up) for exchange in exchanges)
        down = sum(link.down.seconds(exchange.bytes_down) for exchange in exchanges)
        trip = sum(way.delay - way.jitter for way in (link.up, link.down)) / 1000
        seconds += max(trip + max(up, down, *computing.values()), _length(own))
    return clock.stop - clock.start - _length(within_rounds) + seconds


def _busy(rounds: Rounds) -> list[Interval]:
    return [(exchange.sent, exchange.replied) for exchanges in rounds for exchange in exchanges]


def _overlapped(rounds: Rounds, clock: Clock) -> list[list[Interval]]:
    """Return the clock's overlapped intervals of each round."""
    starts = [*(exchanges[0].sent for exchanges in rounds), float("inf")]
    return [[each for each in clock.overlapped if start <= each[0] < end] for start, end in pairwise(starts)]


def _reads(exchanges: Sequence[Exchange], clock: Clock) -> list[Interval]:
    return [each for exchange in exchanges for each in clock.read.get(exchange.sequence, ())]


def _length(intervals: Iterable[Interval]) -> float:
    """Return the length of the union of intervals in seconds."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
