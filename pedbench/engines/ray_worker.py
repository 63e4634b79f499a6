"""Worker process of a Ray cluster. It does jobs with its own models, servers and attack processes."""

from __future__ import annotations

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
from pedbench.host.files import lock
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
    """Settings that a worker needs before its first job.

    Attributes:
        plugins: Files and folders with further plugins, at the same path on every machine.
        cells: Ids of the run's cells. They differ if this machine has other code, weights or another dataset.
        defenses: Indices in the plan of the defenses that jobs will measure.
        cores: Number of cores that are reserved for this worker.
        device: Device of the models, as PyTorch names it.
    """

    suite: ResolvedSuite
    plugins: tuple[Path, ...]
    cells: tuple[str, ...]
    defenses: tuple[int, ...]
    cores: int
    device: str


class RayWorker:
    """A worker that loads everything once, then does one job after the other. It returns values and writes no files."""

    def __init__(self) -> None:
        self._resources = ExitStack()
        self._bench: Bench | None = None
        self._worker: Worker | None = None

    def open(self, settings: Settings) -> None:
        """Load models, and start servers and attack processes.

        Raises:
            EngineError: This machine's plan differs from the run's: it would measure something else.
            PluginError: A plugin is unknown or broken.
            DatasetError: The dataset cannot be read.
            CheckpointError: Weights are missing.
        """
        began = time.perf_counter()
        claim_cores(settings.cores)
        # All processes that this one starts share the claimed cores.
        torch.set_num_threads(cores())
        suite = settings.suite
        plan = make_plan(suite, Registry(settings.plugins), family(suite.model, suite.weights or {}))
        planned = {cell.cell_id for cell in plan.cells()}
        if planned != set(settings.cells):
            raise EngineError(
                f"machine {os.uname().nodename} would measure something else: {len(planned - set(settings.cells))} "
                f"of its {len(planned)} cells are not cells of the run. Plugins, weights and dataset must be the "
                "same on every machine."
            )
        networks = FamilyNetworks(family=plan.family, device=settings.device)
        silent = Console(self._resources.enter_context(Path(os.devnull).open("w")))  # noqa: SIM115
        defenses = [plan.defenses[number] for number in settings.defenses]
        self._bench = self._resources.enter_context(open_bench(plan, networks, defenses, silent, Profile()))
        self._worker = Worker(self._bench, time.perf_counter() - began)

    def do(self, job: Job, cell_ids: frozenset[str]) -> Done:
        """Do a job, like `Worker.do`, and add the seconds of its stages."""
        if self._worker is None or self._bench is None:
            raise EngineError("the worker was not opened")
        profile = self._bench.profile = Profile()
        done = self._worker.do(job, cell_ids)
        stages = {total.stage: total.seconds for total, _ in by_stage(profile.table())}
        return replace(done, stages=stages)

    def close(self) -> None:
        """Stop servers and attack processes."""
        self._worker = None
        self._resources.close()


def claim_cores(count: int) -> None:
    """Bind this process, and all that it will start, to cores that no other worker of this machine has claimed.

    The claim ends with the process, even if it is killed. If fewer than `count` cores are free, nothing is bound.
    """
    folder = Path(tempfile.gettempdir()) / f"pedbench-cores-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    claimed = {}
    for core in sorted(os.sched_getaffinity(0)):
        descriptor = os.open(folder / str(core), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            lock(descriptor, folder, "set TMPDIR to a folder on a local disk")
        except BlockingIOError:
            os.close(descriptor)
            continue
        claimed[core] = descriptor
        if len(claimed) == count:
            os.sched_setaffinity(0, claimed)
            return
    for descriptor in claimed.values():
        os.close(descriptor)
