"""Timeline of a pass: each step of edge, servers and link, with start and end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from pedbench.offload.passes.call import Pending
from pedbench.offload.passes.timing import Clock, Interval, Rounds

Step = Literal["prepare", "edge", "uplink", "waiting", "server", "downlink"]


class Span(NamedTuple):
    """An uninterrupted step of a pass.

    Attributes:
        step: `prepare` and `edge` are the edge's own work; the others belong to one call: on its way to the server,
            waiting there for its turn, computing, on its way back.
        server: Index of the server; None on the edge.
        start: Seconds since the pass began.
        stop: Seconds since the pass began.
        size: Length of the message or of the reply in bytes, for `uplink` and `downlink`.
    """

    step: Step
    server: int | None
    start: float
    stop: float
    size: int = 0


def timeline(rounds: Rounds, clock: Clock) -> list[Span]:
    """Return the steps of a pass as it happened, those of the edge first.

    While calls are pending, only that work of the edge is known which it noted: payloads, replies that it processed,
    and blocks that need no reply. All other time between calls is its own.

    Args:
        rounds: The exchanges of the pass.
        clock: Of the edge.
    """
    pending = [(call.sent, call.replied) for calls in rounds for call in calls]
    noted = [*clock.overlapped, *(each for reads in clock.read.values() for each in reads)]
    idle = _gaps([*pending, *clock.prepare, *noted], (clock.start, clock.stop))
    spans = [Span("prepare", None, *interval) for interval in clock.prepare]
    spans += [Span("edge", None, *interval) for interval in sorted([*noted, *idle])]
    for calls in rounds:
        for call in calls:
            moments = (call.sent, call.received, call.started, call.finished, call.replied)
            steps: tuple[Step, ...] = ("uplink", "waiting", "server", "downlink")
            sizes = (call.bytes_up, 0, 0, call.bytes_down)
            for step, start, stop, size in zip(steps, moments, moments[1:], sizes, strict=False):
                spans.append(Span(step, call.server, start, max(start, stop), size))
    begin = clock.start
    return [span._replace(start=span.start - begin, stop=span.stop - begin) for span in spans]


def pending_timeline(calls: Sequence[Pending]) -> list[Span]:
    """Return one span for each call so far: until now, or until its reply arrived."""
    # Servers answer and are called meanwhile.
    known = list(calls)
    began, now = min(call.sent for call in known), time.monotonic()
    return [Span("server", call.server, call.sent - began, (call.replied or now) - began) for call in known]


def _gaps(intervals: list[Interval], within: Interval) -> Iterator[Interval]:
    """Yield what no interval covers."""
    reached, end = within
    for start, stop in sorted(intervals):
        if start > reached:
            yield reached, min(start, end)
        reached = max(reached, stop)
    if reached < end:
        yield reached, end
