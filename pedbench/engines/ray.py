"""Engine for many machines: this process hands jobs to the workers of a Ray cluster."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from pedbench.engines.jobs import Done, Engine, EngineError, Job, Work
from pedbench.engines.ray_address import check_reachable
from pedbench.engines.ray_worker import RayWorker, Settings
from pedbench.host.provenance import cores
from pedbench.measure.outcome import Outcome

ATTEMPTS = 3
"""Number of workers lost during the same job after which its cells fail."""

STATUS_INTERVAL = 60.0
"""Seconds without a result after which a status line is printed."""

CLOSE_TIMEOUT = 10.0
"""Seconds that workers get to stop their servers."""

OBJECT_STORE_BYTES = 200_000_000
"""Shared memory for results in a cluster that is started here, in bytes."""


class Ray(Engine):
    """The engine that hands jobs to workers of a Ray cluster, each with its own models, servers and attack processes.

    A worker has one job at a time, so at most one result per worker waits to be written. A job whose worker is lost
    is given to another worker. After `ATTEMPTS` losses its cells fail.

    Args:
        address: Address of the cluster, as `ray.init` takes it; by default a cluster is started on this machine.
        workers: Number of workers; by default as many as the cluster's cores allow.
        cores: Number of cores for each worker.
        memory: Gigabytes that each worker requests from the cluster; by default none are requested.
        device: Device of the workers' models, `cpu` or `cuda`.
        gpus: Number of GPUs that each worker requests; a fraction shares one. By default 1 on `cuda`, else 0.

    Raises:
        EngineError: Ray is not installed.
    """

    name = "ray"
    times = False

    def __init__(
        self,
        *,
        address: str | None = None,
        workers: int | None = None,
        cores: int = 1,
        memory: float | None = None,
        device: str = "cpu",
        gpus: float | None = None,
    ) -> None:
        if device not in ("cpu", "cuda"):
            raise EngineError(f"Ray workers compute on cpu or cuda, found {device!r}")
        self.address, self.workers, self.cores, self.memory = address, workers, cores, memory
        self.device = device
        self.gpus = gpus if gpus is not None else float(device == "cuda")
        try:
            import ray
        except ImportError as error:
            raise EngineError(
                f"the engine ray needs the package ray, which is not installed: {error}. "
                "Install it with: pip install 'pedbench[ray]'"
            ) from None
        self._ray: Any = ray

    def do(self, work: Work) -> Generator[Done]:
        with self._cluster():
            count = self.workers or max(1, int(self._ray.cluster_resources().get("CPU", 0) // self.cores))
            options: dict[str, Any] = {"num_cpus": self.cores, "max_restarts": 0, "max_task_retries": 0}
            if self.memory is not None:
                options["memory"] = int(self.memory * 1e9)
            if self.gpus:
                options["num_gpus"] = self.gpus
            crew = _Crew(self._ray, work, options, self, count)
            try:
                with work.console.stage(
                    f"{count} workers", total=sum(len(job.images) for job in work.jobs)
                ) as advance:
                    for done in crew.do():
                        advance(len(done.job.images))
                        yield done
            finally:
                crew.dismiss()

    @contextmanager
    def _cluster(self) -> Iterator[None]:
        """Connect to a cluster, or start one with as much room as the workers need."""
        # Ray's default niceness gives workers a low priority, and other processes starve them.
        os.environ.setdefault("RAY_worker_niceness", "0")
        options: dict[str, Any] = {
            "num_cpus": max(cores(), (self.workers or 1) * self.cores),
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }
        if self.address:
            check_reachable(self.address)
        try:
            self._ray.init(
                address=self.address or "local",
                log_to_driver=False,
                logging_level="ERROR",
                **({} if self.address else options),
            )
        except ConnectionError as error:
            raise EngineError(f"there is no Ray cluster at {self.address}: {error}") from error
        try:
            yield
        finally:
            self._ray.shutdown()


class _Crew:
    """The workers, each with the job that it is doing.

    Args:
        ray: The package.
        options: Resources that each worker requests from the cluster, as options of `ray.remote`.
        count: Number of workers.
    """

    def __init__(self, ray: Any, work: Work, options: dict[str, Any], engine: Ray, count: int) -> None:
        self._ray, self._work, self._count = ray, work, count
        self._remote_class = ray.remote(**options)(RayWorker)
        self._settings = Settings(
            suite=work.suite,
            plugins=tuple(work.plugins),
            cells=tuple(cell.cell_id for cell in work.plan.cells()),
            defenses=tuple(dict.fromkeys(job.defense for job in work.jobs)),
            cores=engine.cores,
            device=engine.device,
        )
        self._waiting = deque(work.jobs)
        self._idle: list[Any] = []
        # Worker and job by the reference to the pending result; the job is None while the worker opens.
        self._busy: dict[Any, tuple[Any, Job | None]] = {}
        self._losses: Counter[Job] = Counter()
        self._failed_starts = 0
        for _ in range(min(count, len(work.jobs))):
            self._hire()

    def _hire(self) -> None:
        worker = self._remote_class.remote()
        self._busy[worker.open.remote(self._settings)] = (worker, None)

    def do(self) -> Iterator[Done]:
        """Yield the result of each job as soon as it is there."""
        with self._work.profile.stage("workers", workers=self._count) as stage:
            while self._waiting or any(job is not None for _, job in self._busy.values()):
                yield from self._hand_out()
                for done in self._await() if self._busy else ():
                    stage.parts += done.stages.items()
                    yield done

    def _hand_out(self) -> Iterator[Done]:
        """Give jobs to idle workers; yield jobs without remaining cells as done."""
        while self._waiting and self._idle:
            job = self._waiting.popleft()
            cell_ids = self._work.remaining(job)
            if cell_ids:
                worker = self._idle.pop()
                self._busy[worker.do.remote(job, cell_ids)] = (worker, job)
            else:
                yield Done(job=job)

    def _await(self) -> Iterator[Done]:
        ready, _ = self._ray.wait([*self._busy], num_returns=1, timeout=STATUS_INTERVAL)
        if not ready:
            self._print_status()
        for reference in ready:
            worker, job = self._busy.pop(reference)
            try:
                done = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                # A worker that raised or could not be reached must not send results later.
                self._ray.kill(worker)
                if job is None:
                    self._note_failed_start(error)
                else:
                    yield from self._retry(job, error)
                self._hire()
                continue
            self._idle.append(worker)
            if job is not None:
                yield done

    def _print_status(self) -> None:
        opening = sum(job is None for _, job in self._busy.values())
        self._work.console.line(
            f"{len(self._waiting)} jobs wait, {len(self._busy) - opening} are running, {opening} workers wait for "
            "resources of the cluster or load their models"
        )

    def _note_failed_start(self, error: Any) -> None:
        cause = getattr(error, "cause", None)
        if isinstance(cause, (ValueError, OSError)):
            raise cause
        self._failed_starts += 1
        if self._failed_starts > ATTEMPTS * self._count:
            raise EngineError(f"workers cannot be started: {error}") from error

    def _retry(self, job: Job, error: Any) -> Iterator[Done]:
        """Queue a job whose worker was lost again; after `ATTEMPTS` losses, yield it with failed cells."""
        defense_plan = self._work.plan.defenses[job.defense]
        ids = self._work.plan.dataset.ids()
        pictures = f"pictures {ids[job.images[0]]} to {ids[job.images[-1]]}"
        reason = str(error).strip().partition("\n")[0]
        self._losses[job] += 1
        if self._losses[job] < ATTEMPTS:
            label = defense_plan.defense.label
            self._work.console.line(f"{label}, {pictures}: a worker was lost, another one starts")
            self._waiting.appendleft(job)
            return
        outcome = Outcome()
        cell_ids = self._work.remaining(job)
        cells = [cell for cell in defense_plan.cells() if cell.cell_id in cell_ids]
        outcome.spoil(cells, "failed", f"{pictures}: {ATTEMPTS} workers were lost: {reason}")
        yield Done(job=job, cell_ids=cell_ids, outcome=outcome)

    def dismiss(self) -> None:
        """Let idle workers stop their servers, then kill all workers."""
        workers = [*self._idle, *(worker for worker, _ in self._busy.values())]
        closing = [worker.close.remote() for worker in self._idle]
        if closing:
            self._ray.wait(closing, num_returns=len(closing), timeout=CLOSE_TIMEOUT)
        for worker in workers:
            self._ray.kill(worker)
