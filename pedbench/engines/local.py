"""Engine for one machine: this process with its servers and attack processes."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from itertools import groupby

from pedbench.engines.jobs import Done, Engine, Work
from pedbench.engines.open_bench import open_bench
from pedbench.engines.worker import Worker
from pedbench.host.device import choose_device
from pedbench.network.certificates import Identity
from pedbench.offload.servers.remote import Remote, RemoteServers
from pedbench.suites.plan import DefensePlan, Plan


class Local(Engine):
    """The engine that does one job after the other in this process, in the given order.

    Args:
        device: Device of the models: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the first accelerator.
        addresses: HOST:PORT of servers on other machines; by default servers are processes of this machine.
        identity: The edge's certificates for TLS with these servers.

    Raises:
        ValueError: This machine has no such device.
    """

    name = "local"
    times = True

    def __init__(
        self, device: str = "cpu", *, addresses: Sequence[str] = (), identity: Identity | None = None
    ) -> None:
        self.device = choose_device(device)
        self._addresses, self._identity = addresses, identity

    def do(self, work: Work) -> Generator[Done]:
        due = [work.plan.defenses[number] for number in dict.fromkeys(job.defense for job in work.jobs)]
        began = time.perf_counter()
        remote = self._remote(work.plan, due) if self._addresses else None
        with open_bench(
            work.plan, work.networks, due, work.console, work.profile, remote, uploads=True
        ) as bench:
            worker = Worker(bench, time.perf_counter() - began)
            for number, jobs in groupby(work.jobs, key=lambda job: job.defense):
                label, listed = work.plan.defenses[number].defense.label, list(jobs)
                total = sum(len(job.images) for job in listed if job.part == "pictures")
                with work.console.stage(label, total=total) as advance:
                    for job in listed:
                        cell_ids = work.remaining(job)
                        done = worker.do(job, cell_ids, advance) if cell_ids else Done(job=job)
                        if isinstance(bench.servers, RemoteServers):
                            self.servers = bench.servers.described
                        yield done

    def _remote(self, plan: Plan, due: Sequence[DefensePlan]) -> Remote:
        return Remote(
            addresses=self._addresses,
            identity=self._identity,
            model=plan.family.name,
            weights={name: sha for defense in due for name, sha in defense.weights.items()},
            patience=plan.suite.servers.deadline,
        )
