"""The engine of one machine: this process, its servers and its attack processes."""

from __future__ import annotations

import time
from collections.abc import Generator
from itertools import groupby

from pedbench.engines.jobs import Done, Engine, Work, Worker
from pedbench.engines.open_bench import open_bench
from pedbench.host.device import choose_device


class Local(Engine):
    """Do one job after the other here, in the order in which they are given.

    Args:
        device: Where models compute: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the first accelerator.

    Raises:
        ValueError: There is no such device here.
    """

    name = "local"
    times = True

    def __init__(self, device: str = "cpu") -> None:
        self.device = choose_device(device)

    def do(self, work: Work) -> Generator[Done]:
        due = [work.plan.defenses[number] for number in dict.fromkeys(job.defense for job in work.jobs)]
        began = time.perf_counter()
        with open_bench(work.plan, work.networks, due, work.console, work.profile) as bench:
            worker = Worker(bench, time.perf_counter() - began)
            for number, jobs in groupby(work.jobs, key=lambda job: job.defense):
                of = work.plan.defenses[number]
                given = list(jobs)
                total = sum(len(job.images) for job in given if job.part == "pictures")
                with work.console.stage(of.defense.label, total=total) as advance:
                    for job in given:
                        asked = work.left(job)
                        yield worker.do(job, asked, advance) if asked else Done(job=job)
