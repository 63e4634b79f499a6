"""The clock of a server on another machine, as seen from the edge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pedbench.types import Exchange


@dataclass(frozen=True, kw_only=True)
class ClockOffset:
    """How far a server's clock is ahead of the edge's.

    Attributes:
        seconds: The server's clock minus the edge's.
        uncertainty: Half of the round trip that it was read in: the offset cannot be further off.
    """

    seconds: float
    uncertainty: float


def estimate_offset(trips: Iterable[tuple[float, float, float]]) -> ClockOffset:
    """Estimate an offset as NTP does (RFC 5905), by the shortest of several round trips.

    Args:
        trips: Per round trip the edge's clock before it, the server's, and the edge's after it.
    """
    sent, there, back = min(trips, key=lambda trip: trip[2] - trip[0])
    return ClockOffset(seconds=there - (sent + back) / 2, uncertainty=(back - sent) / 2)


def on_edge_clock(exchange: Exchange, offset: ClockOffset) -> Exchange:
    """An exchange with the server's times on the edge's clock.

    How long the server took is kept, as only its own clock knows. What is left of the time between message and reply
    is split into both ways by the offset; neither gets less than nothing.
    """
    took = exchange.finished - exchange.received
    latest = max(exchange.sent, exchange.replied - took)
    received = min(max(exchange.received - offset.seconds, exchange.sent), latest)
    return replace(
        exchange,
        received=received,
        started=received + exchange.started - exchange.received,
        finished=received + took,
    )
