"""The process of a Ray cluster that does jobs: it has models, servers and attack processes of its own."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pedbench.engines.jobs import Done, EngineError, Job
from pedbench.engines.open_bench import open_bench
from pedbench.engines.worker import Worker
from pedbench.host.console import Console
from pedbench.host.provenance import cores
from pedbench.host.stopwatch import Profile, by_stage
from pedbench.measure.bench import Bench
from pedbench.models.sam.family import family
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.registry import Registry
from pedbench.suites.planning import make_plan
from pedbench.suites.schema import ResolvedSuite


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a worker has to know before its first job.

    Attributes:
        plugins: Files and folders with further plugins, at the same place on every machine.
        cells: Ids of the run's cells, which tell whether this machine has the same code, weights and dataset.
        defenses: Places in the plan of those that jobs will be about.
        cores: How many are for this worker alone.
        device: Where models compute.
    """

    suite: ResolvedSuite
    plugins: tuple[Path, ...]
    cells: tuple[str, ...]
    defenses: tuple[int, ...]
    cores: int
    device: str


class RayWorker:
    """Loads everything once, then does one job after the other. Gives values, and writes nothing."""

    def __init__(self) -> None:
        self._resources = ExitStack()
        self._bench: Bench | None = None
        self._worker: Worker | None = None

    def open(self, settings: Settings) -> None:
        """Load models, start servers and attack processes.

        Raises:
            EngineError: This machine would measure something else.
            PluginError: A plugin is unknown or broken.
            DatasetError: The dataset cannot be read.
            CheckpointError: Weights are missing.
        """
        began = time.perf_counter()
        claim_cores(settings.cores)
        # Everything that is started from here on shares them.
        torch.set_num_threads(cores())
        suite = settings.suite
        plan = make_plan(suite, Registry(settings.plugins), family(suite.model, suite.weights or {}))
        found = {cell.cell_id for cell in plan.cells()}
        if found != set(settings.cells):
            raise EngineError(
                f"machine {os.uname().nodename} would measure something else: {len(found - set(settings.cells))} of "
                f"its {len(found)} cells are not those of the run. Plugins, weights and dataset must be the same "
                "on every machine."
            )
        networks = FamilyNetworks(family=plan.family, device=settings.device)
        silent = Console(self._resources.enter_context(Path(os.devnull).open("w")))  # noqa: SIM115
        due = [plan.defenses[number] for number in settings.defenses]
        self._bench = self._resources.enter_context(open_bench(plan, networks, due, silent, Profile()))
        self._worker = Worker(self._bench, time.perf_counter() - began)

    def do(self, job: Job, asked: frozenset[str]) -> Done:
        """Do a job; see `Worker.do`."""
        if self._worker is None or self._bench is None:
            raise EngineError("the worker was not opened")
        profile = self._bench.profile = Profile()
        done = self._worker.do(job, asked)
        stages = {whole.stage: whole.seconds for whole, _ in by_stage(profile.table())}
        return replace(done, stages=stages)

    def close(self) -> None:
        """End servers and attack processes."""
        self._worker = None
        self._resources.close()


def claim_cores(count: int) -> None:
    """Keep this process, and all that it will start, to cores that no other worker of this machine has claimed.

    They are free again when the process ends, however that ends. With too few left, all are shared.
    """
    folder = Path(tempfile.gettempdir()) / f"pedbench-cores-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    claimed = {}
    for core in sorted(os.sched_getaffinity(0)):
        descriptor = os.open(folder / str(core), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        claimed[core] = descriptor
        if len(claimed) == count:
            os.sched_setaffinity(0, claimed)
            return
    for descriptor in claimed.values():
        os.close(descriptor)
