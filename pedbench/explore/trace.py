"""A pass as intervals: what the edge, the link and each server did when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pedbench.offload.passes.call import Pending
from pedbench.offload.passes.run_pass import Pass

Work = Literal["prepare", "uplink", "waiting", "server", "downlink", "edge"]


@dataclass(frozen=True, kw_only=True)
class Span:
    """An interval of a pass.

    Attributes:
        server: Index of the server; None for the edge.
        start, end: Seconds since the pass began.
        bytes: Length of the message, for "uplink" and "downlink".
    """

    server: int | None
    work: Work
    start: float
    end: float
    bytes: int = 0


def spans(done: Pass) -> list[Span]:
    """Return the intervals of a pass, the edge's first.

    The edge is at work whenever no message is under way: before the first, between rounds, and after the last.
    """
    began = done.clock.start
    found = [
        Span(server=None, work="prepare", start=start - began, end=end - began)
        for start, end in done.clock.prepare
    ]
    busy = [
        *((e.sent - began, e.replied - began) for e in done.exchanges),
        *((s.start, s.end) for s in found),
    ]
    found += [
        Span(server=None, work="edge", start=start, end=end)
        for start, end in _gaps(busy, done.clock.stop - began)
    ]
    for exchange in done.exchanges:
        steps: tuple[tuple[Work, float, float, int], ...] = (
            ("uplink", exchange.sent, exchange.received, exchange.bytes_up),
            ("waiting", exchange.received, exchange.started, 0),
            ("server", exchange.started, exchange.finished, 0),
            ("downlink", exchange.finished, exchange.replied, exchange.bytes_down),
        )
        found += [
            Span(server=exchange.server, work=work, start=start - began, end=end - began, bytes=size)
            for work, start, end, size in steps
        ]
    return found


def _gaps(intervals: Sequence[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Return the intervals from 0 to `end` that none of the given ones covers."""
    gaps, reached = [], 0.0
    for start, stop in sorted(intervals):
        if start > reached:
            gaps.append((reached, start))
        reached = max(reached, stop)
    return [*gaps, (reached, end)] if end > reached else gaps


def live_spans(pending: Sequence[Pending]) -> list[Span]:
    """Return one interval for each call so far: until now, or until its reply arrived."""
    calls = list(pending)
    began, now = min(call.sent for call in calls), time.monotonic()
    return [
        Span(server=call.server, work="server", start=call.sent - began, end=(call.replied or now) - began)
        for call in calls
    ]
