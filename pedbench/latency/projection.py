"""What a pass would take on other devices and over another link: the critical path that turn-taking passes have.

Projected times are no measurements. Links are those of `pedbench.network.emulated_link`, and a pass is put together by
`turn_times`: nothing here knows how a link works.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pedbench.network.emulated_link import link_queues
from pedbench.network.links import Link
from pedbench.offload.passes.timing import Clock, Interval, PassTimes, Rounds, turn_times
from pedbench.types import Exchange

_NOTHING = 1e-12
"""Seconds of work that are the rounding of sums."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one server does in the one round of a pass.

    Attributes:
        bytes_up: Of the message to it.
        bytes_down: Of its reply.
        compute: Seconds from having the message to having the reply written, with a host of its own.
        up: Seconds from handing the message over until the server has it, the link's apart.
        down: The same of the reply.
    """

    bytes_up: int
    bytes_down: int
    compute: float
    up: float = 0.0
    down: float = 0.0


def compose(
    jobs: Sequence[Job],
    link: Link,
    *,
    prepare: float = 0.0,
    edge: float = 0.0,
    seed: int = 0,
    cores: int | None = None,
) -> PassTimes:
    """Compose a pass of one round in which all messages are sent at once.

    Args:
        jobs: One a server, in the order of sending; none where nothing leaves the edge.
        link: What all messages share.
        prepare: Seconds of the edge before.
        edge: Seconds of the edge after the last reply.
        seed: Of the link's jitter and losses.
        cores: Of one host that all servers share, one thread each, and that handles all messages; without it each
            server has its own host.
    """
    given = jobs if cores is None else _on_shared_cores(jobs, link, seed, cores)
    exchanges = [
        Exchange(
            server=number,
            operation="",
            request=0,
            sequence=number,
            bytes_up=job.bytes_up,
            bytes_down=job.bytes_down,
            sent=0.0,
            received=job.up,
            started=job.up,
            finished=job.up + job.compute,
            replied=job.up + job.compute + job.down,
        )
        for number, job in enumerate(given)
    ]
    end = max((exchange.replied for exchange in exchanges), default=0.0)
    clock = Clock(start=-prepare, stop=end + edge, prepare=[(-prepare, 0.0)])
    return turn_times([exchanges] if exchanges else [], clock, link, seed)


def rescale(rounds: Rounds, clock: Clock, *, edge: float, server: float) -> tuple[Rounds, Clock]:
    """A measured pass as slower or faster devices would have made it, to be composed by `turn_times`.

    Time is stretched where the edge or a server works, and left as it is where messages are under way.

    Args:
        rounds: The exchanges of a pass whose servers took turns, so that no two overlap.
        clock: Its clock.
        edge: How many times as long the edge takes for what it does.
        server: The same for servers.
    """
    calls = [each for exchanges in rounds for each in exchanges]
    busy = [(each.sent, each.replied) for each in calls]
    computing = [(each.started, each.finished) for each in calls]

    def moment(now: float) -> float:
        waited, computed = _until(now, busy), _until(now, computing)
        return edge * (now - clock.start - waited) + waited + (server - 1) * computed

    def spans(given: Iterable[Interval]) -> list[Interval]:
        return [(moment(start), moment(stop)) for start, stop in given]

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
        beside=spans(clock.beside),
        read={sequence: spans(given) for sequence, given in clock.read.items()},
    )


def _until(now: float, intervals: Iterable[tuple[float, float]]) -> float:
    """Length of the part of intervals, none within another, that is over."""
    return sum(min(end, now) - start for start, end in intervals if start < now)


def _on_shared_cores(jobs: Sequence[Job], link: Link, seed: int, cores: int) -> list[Job]:
    """Jobs that take as long as they do where all of them, their messages' handling included, share cores."""
    up, _ = link_queues(link, seed)
    arrivals = [up.send(0.0, job.bytes_up, number, number) for number, job in enumerate(jobs)]
    finished = share_cores(arrivals, [job.up + job.compute + job.down for job in jobs], cores)
    return [
        replace(job, compute=end - arrival, up=0.0, down=0.0)
        for job, arrival, end in zip(jobs, arrivals, finished, strict=True)
    ]


def share_cores(arrivals: Sequence[float], work: Sequence[float], cores: int) -> list[float]:
    """When jobs end that share a host's cores evenly, each on one thread.

    Args:
        arrivals: When each job begins, in seconds.
        work: Seconds that each takes on a core of its own.
        cores: How many there are.
    """
    left, ends = list(work), list(arrivals)
    waiting = sorted(range(len(work)), key=lambda job: arrivals[job])
    active: list[int] = []
    now = 0.0
    while waiting or active:
        due = arrivals[waiting[0]] if waiting else float("inf")
        if not active or due <= now:
            now = max(now, due)
            active.append(waiting.pop(0))
            continue
        speed = min(1.0, cores / len(active))
        then = min(now + min(left[job] for job in active) / speed, due)
        for job in active:
            left[job] -= (then - now) * speed
        now = then
        for job in [job for job in active if left[job] <= _NOTHING]:
            active.remove(job)
            ends[job] = now
    return ends
