"""Passes put together from what each server does: exact bytes, assumed computing, and the queues of a link.

`turn_times` composes them, as it does passes whose servers took turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pedbench.network.emulated_link import link_queues
from pedbench.network.links import Link
from pedbench.offload.passes.timing import Clock, PassTimes, turn_times
from pedbench.types import Exchange

_NOTHING = 1e-12
"""Seconds of work that are the rounding of sums."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work of one server in the one round of a pass.

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
    shared = jobs if cores is None else _on_shared_cores(jobs, link, seed, cores)
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
        for number, job in enumerate(shared)
    ]
    end = max((exchange.replied for exchange in exchanges), default=0.0)
    clock = Clock(start=-prepare, stop=end + edge, prepare=[(-prepare, 0.0)])
    return turn_times([exchanges] if exchanges else [], clock, link, seed)


def _on_shared_cores(jobs: Sequence[Job], link: Link, seed: int, cores: int) -> list[Job]:
    """Return the jobs with the times that they take where all of them, messages included, share cores."""
    up, _ = link_queues(link, seed)
    arrivals = [up.send(0.0, job.bytes_up, number, number) for number, job in enumerate(jobs)]
    finished = share_cores(arrivals, [job.up + job.compute + job.down for job in jobs], cores)
    return [
        replace(job, compute=end - arrival, up=0.0, down=0.0)
        for job, arrival, end in zip(jobs, arrivals, finished, strict=True)
    ]


def share_cores(arrivals: Sequence[float], work: Sequence[float], cores: int) -> list[float]:
    """Return when jobs end that share a host's cores evenly, each on one thread.

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
