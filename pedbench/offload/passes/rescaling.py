"""Rescale turn-taking passes to slower or faster devices. Projected times are not measurements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pedbench.offload.passes.timing import Clock, Interval, Rounds
from pedbench.types import Exchange


def rescale(rounds: Rounds, clock: Clock, *, edge: float, server: float) -> tuple[Rounds, Clock]:
    """Return exchanges and clock of a measured pass as slower or faster devices would have produced them.

    Times in which the edge or a server computes are scaled; times of messages are not. Compose the result with
    `turn_times`.

    Args:
        rounds: The exchanges of a pass whose servers took turns, so that no two overlap.
        edge: Factor for the edge's computing times; above 1 for a slower edge.
        server: Factor for the servers' computing times.
    """
    calls = [each for exchanges in rounds for each in exchanges]
    busy = [(each.sent, each.replied) for each in calls]
    computing = [(each.started, each.finished) for each in calls]

    def moment(now: float) -> float:
        waited, computed = _until(now, busy), _until(now, computing)
        return edge * (now - clock.start - waited) + waited + (server - 1) * computed

    def spans(intervals: Iterable[Interval]) -> list[Interval]:
        return [(moment(start), moment(stop)) for start, stop in intervals]

    def moved(call: Exchange) -> Exchange:
        return replace(
            call,
            sent=moment(call.sent),
            received=moment(call.received),
            started=moment(call.started),
            finished=moment(call.finished),
            replied=moment(call.replied),
        )

    return [[moved(call) for call in exchanges] for exchanges in rounds], Clock(
        start=moment(clock.start),
        stop=moment(clock.stop),
        prepare=spans(clock.prepare),
        overlapped=spans(clock.overlapped),
        read={sequence: spans(intervals) for sequence, intervals in clock.read.items()},
    )


def _until(now: float, intervals: Iterable[tuple[float, float]]) -> float:
    """Return the total length of disjoint intervals up to the time `now`, in seconds."""
    return sum(min(end, now) - start for start, end in intervals if start < now)
