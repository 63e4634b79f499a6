"""What sharding over workers gives: a run's jobs handed out in simulation, by the times of jobs that were measured."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from pedbench.engines.job_times import JobTime
from pedbench.engines.jobs import Job
from pedbench.host.stopwatch import Share
from pedbench.suites.plan import Plan

ALONE = ("imports", "dataset and weights", "writing", "records", "report", "elsewhere")
"""Stages of a run that no worker takes over."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What jobs cost, in seconds, on a worker like those that were measured.

    Attributes:
        picture: By the defense's label, of each picture of a shard.
        warming: Likewise, before a worker's first job of the defense.
        opening: Before a worker's first job.
        alone: Of the process that hands out and writes.
    """

    picture: Mapping[str, float]
    warming: Mapping[str, float]
    opening: float
    alone: float


def costs(times: Sequence[JobTime], profile: Sequence[Share]) -> Costs:
    """Costs from the jobs and the profile of a run.

    Raises:
        ValueError: No worker began.
    """
    opened = [time.opening for time in times if time.opening]
    if not opened:
        raise ValueError("no worker's start was measured")
    seconds: dict[str, list[float]] = defaultdict(list)
    warming: dict[str, list[float]] = defaultdict(list)
    pictures: dict[str, int] = defaultdict(int)
    for time in times:
        if time.part == "pictures":
            seconds[time.defense].append(time.seconds)
            pictures[time.defense] += time.pictures
            warming[time.defense] += [time.warming] if time.warming else []
    return Costs(
        picture={label: fsum(spent) / pictures[label] for label, spent in seconds.items()},
        warming={label: fsum(spent) / len(spent) if spent else 0.0 for label, spent in warming.items()},
        opening=fsum(opened) / len(opened),
        alone=fsum(share.seconds for share in profile if share.stage in ALONE),
    )


def makespan(plan: Plan, jobs: Sequence[Job], cost: Costs, workers: int) -> float:
    """Seconds until all jobs are done, each given to the worker that is free first.

    Raises:
        ValueError: A defense was not measured.
    """
    labels = [plan.defenses[job.defense].defense.label for job in jobs]
    if unknown := sorted(set(labels) - set(cost.picture)):
        raise ValueError(f"no time was measured of: {', '.join(unknown)}")
    # When each is free, and what it is warm for.
    free = [(cost.opening, number, "") for number in range(min(workers, len(jobs)))]
    end = 0.0
    for job, label in zip(jobs, labels, strict=True):
        since, number, warm = heapq.heappop(free)
        began = since + (0.0 if warm == label else cost.warming[label])
        done = began + cost.picture[label] * len(job.images)
        end = max(end, done)
        heapq.heappush(free, (done, number, label))
    return cost.alone + end
