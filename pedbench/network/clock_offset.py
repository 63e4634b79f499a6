"""Offset between the clock of a remote server and that of the edge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pedbench.types import Exchange


@dataclass(frozen=True, kw_only=True)
class ClockOffset:
    """Time by which a server's clock is ahead of the edge's.

    Attributes:
        seconds: The server's clock minus the edge's.
        uncertainty: Largest possible error in seconds: half of the round trip.
    """

    seconds: float
    uncertainty: float


def estimate_offset(trips: Iterable[tuple[float, float, float]]) -> ClockOffset:
    """Estimate an offset as in NTP (RFC 5905), from the shortest of several round trips.

    Args:
        trips: Per round trip the edge's clock before, the server's, and the edge's after.
    """
    sent, remote, back = min(trips, key=lambda trip: trip[2] - trip[0])
    return ClockOffset(seconds=remote - (sent + back) / 2, uncertainty=(back - sent) / 2)


def on_edge_clock(exchange: Exchange, offset: ClockOffset) -> Exchange:
    """Return an exchange with the server's times on the edge's clock.

    The duration at the server is kept, as only its own clock measures it. The offset splits the remaining time between
    message and reply into both directions; neither is negative.
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
