"""The engine of many machines: workers of a Ray cluster do jobs; this process hands them out."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from pedbench.engines.jobs import Done, Engine, EngineError, Job, Work
from pedbench.engines.ray_worker import RayWorker, Settings
from pedbench.host.provenance import cores
from pedbench.measure.outcome import Outcome

ATTEMPTS = 3
"""Workers that may be lost with a job before its cells are given up."""

PATIENCE = 60.0
"""Seconds without any news after which the user is told what is waited for."""

FAREWELL = 10.0
"""Seconds that workers have to end their servers."""

OBJECTS = 200_000_000
"""Bytes of shared memory for what workers send, where no cluster is there and one is started."""


class Ray(Engine):
    """Let workers of a Ray cluster do the jobs, each with models, servers and attack processes of its own.

    A worker has one job at a time, so no more results than workers wait to be written. A job whose worker is lost is
    done again by another; so often lost, its cells have failed.

    Args:
        address: Of the cluster, as `ray.init` takes it; one is started on this machine without.
        workers: How many; as many as the cluster's cores allow without.
        cores: That each worker has for itself.
        memory: Gigabytes that each worker asks the cluster for; nothing is asked without.
        device: Where the workers' models compute, `cpu` or `cuda`.
        gpus: That each worker asks the cluster for; a fraction shares one.

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
            raise EngineError(f"workers of Ray compute on cpu or cuda, found {device!r}")
        self.address, self.workers, self.cores, self.memory = address, workers, cores, memory
        self.device = device
        self.gpus = gpus if gpus is not None else float(device == "cuda")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise EngineError(
                f"the engine ray needs the package ray, which is not here: {error}. "
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
        # Without it workers have a low priority, and starve beside anything else that computes.
        os.environ.setdefault("RAY_worker_niceness", "0")
        own: dict[str, Any] = {
            "num_cpus": max(cores(), (self.workers or 1) * self.cores),
            "include_dashboard": False,
            "object_store_memory": OBJECTS,
        }
        try:
            self._ray.init(
                address=self.address or "local",
                log_to_driver=False,
                logging_level="ERROR",
                **({} if self.address else own),
            )
        except ConnectionError as error:
            raise EngineError(f"there is no Ray cluster at {self.address}: {error}") from error
        try:
            yield
        finally:
            self._ray.shutdown()


class _Crew:
    """Workers, and which job each of them has.

    Args:
        ray: The package.
        options: What each worker asks the cluster for.
        engine: What it was told.
        count: Of workers.
    """

    def __init__(self, ray: Any, work: Work, options: dict[str, Any], engine: Ray, count: int) -> None:
        self._ray, self._work, self._count = ray, work, count
        self._kind = ray.remote(**options)(RayWorker)
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
        # What is awaited: the worker, and its job; None while it opens.
        self._busy: dict[Any, tuple[Any, Job | None]] = {}
        self._losses: Counter[Job] = Counter()
        self._unopened = 0
        for _ in range(min(count, len(work.jobs))):
            self._hire()

    def _hire(self) -> None:
        worker = self._kind.remote()
        self._busy[worker.open.remote(self._settings)] = (worker, None)

    def do(self) -> Iterator[Done]:
        """All jobs, each as soon as it is done."""
        with self._work.profile.stage("workers", workers=self._count) as stage:
            while self._waiting or any(job is not None for _, job in self._busy.values()):
                yield from self._hand_out()
                for done in self._await() if self._busy else ():
                    stage.parts += done.stages.items()
                    yield done

    def _hand_out(self) -> Iterator[Done]:
        """Give jobs to whoever has none; those of which nothing is left to do are done."""
        while self._waiting and self._idle:
            job = self._waiting.popleft()
            asked = self._work.left(job)
            if asked:
                worker = self._idle.pop()
                self._busy[worker.do.remote(job, asked)] = (worker, job)
            else:
                yield Done(job=job)

    def _await(self) -> Iterator[Done]:
        ready, _ = self._ray.wait([*self._busy], num_returns=1, timeout=PATIENCE)
        if not ready:
            self._tell()
        for answer in ready:
            worker, job = self._busy.pop(answer)
            try:
                done = self._ray.get(answer)
            except self._ray.exceptions.RayError as error:
                # What raised in it, or could not be reached, must not answer later.
                self._ray.kill(worker)
                if job is None:
                    self._not_opened(error)
                else:
                    yield from self._lost(job, error)
                self._hire()
                continue
            self._idle.append(worker)
            if job is not None:
                yield done

    def _tell(self) -> None:
        opening = sum(job is None for _, job in self._busy.values())
        self._work.console.line(
            f"{len(self._waiting)} shards wait, {len(self._busy) - opening} are worked on, {opening} workers wait for "
            "room in the cluster or load their models"
        )

    def _not_opened(self, error: Any) -> None:
        cause = getattr(error, "cause", None)
        if isinstance(cause, (ValueError, OSError)):
            raise cause
        self._unopened += 1
        if self._unopened > ATTEMPTS * self._count:
            raise EngineError(f"workers cannot be started: {error}") from error

    def _lost(self, job: Job, error: Any) -> Iterator[Done]:
        """Have a job done again, or give its cells up."""
        of = self._work.plan.defenses[job.defense]
        ids = self._work.plan.dataset.ids()
        pictures = f"pictures {ids[job.images[0]]} to {ids[job.images[-1]]}"
        reason = str(error).strip().partition("\n")[0]
        self._losses[job] += 1
        if self._losses[job] < ATTEMPTS:
            self._work.console.line(f"{of.defense.label}, {pictures}: a worker was lost, another one begins")
            self._waiting.appendleft(job)
            return
        outcome = Outcome()
        asked = self._work.left(job)
        cells = [cell for cell in of.cells() if cell.cell_id in asked]
        outcome.spoil(cells, "failed", f"{pictures}: {ATTEMPTS} workers were lost: {reason}")
        yield Done(job=job, asked=asked, outcome=outcome)

    def dismiss(self) -> None:
        """Let all workers end their servers, then end them."""
        workers = [*self._idle, *(worker for worker, _ in self._busy.values())]
        farewells = [worker.close.remote() for worker in self._idle]
        if farewells:
            self._ray.wait(farewells, num_returns=len(farewells), timeout=FAREWELL)
        for worker in workers:
            self._ray.kill(worker)
