"""The contract of engines: jobs and their results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pedbench.host.console import Console
from pedbench.host.stopwatch import Profile
from pedbench.measure.outcome import Outcome
from pedbench.suites.plan import Plan
from pedbench.suites.schema import ResolvedSuite

if TYPE_CHECKING:
    from pedbench.models.sam.networks import FamilyNetworks

SHARD = 8
"""Pictures per job. Passes of a whole shard run before its views are attacked, so this bounds the memory."""

Part = Literal["pictures", "links", "turns"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One defense on a shard of pictures: the unit of work.

    Attributes:
        defense: Index of the defense in the plan.
        number: Number of the shard of values that the job produces; shards of pictures count from 0.
        part: `pictures` measures everything; `links` and `turns` time passes again, and need a quiet machine.
        images: Indices of the pictures in the dataset.
        cell_ids: Ids of the cells to fill.
    """

    defense: int
    number: int
    part: Part
    images: tuple[int, ...]
    cell_ids: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Done:
    """The result of a job.

    Attributes:
        cell_ids: Ids of the cells that were still worth filling when the job began; empty if it was not begun.
        seconds: Duration of the job in seconds, without warm-up.
        warming: Seconds of warm-up; 0 if the worker was warm.
        opening: Seconds until the worker was ready, if this was its first job; else 0.
        stages: Seconds by stage, of a job that was done in another process.
        machine: Id of the machine, as in a record's provenance.
        defects: Defects of the annotations that were read, by picture.
    """

    job: Job
    cell_ids: frozenset[str] = frozenset()
    outcome: Outcome = field(default_factory=Outcome)
    seconds: float = 0.0
    warming: float = 0.0
    opening: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    machine: str = ""
    defects: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Work:
    """All jobs of a run, with everything that an engine needs to do them.

    Attributes:
        plugins: Files and folders with further plugins.
        networks: The edge's models, for an engine that computes in this process.
        jobs: All jobs; those of one defense are adjacent.
        remaining: Returns the ids of a job's cells that are still worth filling: all but those that have failed.
    """

    suite: ResolvedSuite
    plugins: Sequence[Path]
    plan: Plan
    networks: FamilyNetworks
    jobs: Sequence[Job]
    remaining: Callable[[Job], frozenset[str]]
    console: Console
    profile: Profile


class EngineError(ValueError):
    """An engine is not installed, or cannot do the jobs."""


class Engine(ABC):
    """The interface of engines, which do the jobs of a run on one or many machines.

    Attributes:
        name: Name on the command line and in records.
        times: Whether the engine can time passes, which needs machines that do nothing else.
        device: Device of the models, as PyTorch names it.
        servers: Descriptions of servers on other machines and of their clocks; empty for servers of this machine.
    """

    name: ClassVar[str]
    times: ClassVar[bool]
    device: str
    servers: Sequence[Mapping[str, Any]] = ()

    @abstractmethod
    def do(self, work: Work) -> Generator[Done]:
        """Do all jobs, and yield each result once, in any order, as soon as it is there.

        Raises:
            PluginError: A metric or probe cannot be prepared.
            EngineError: No worker can do the jobs.
        """


def jobs_of(plan: Plan, defense: int, cell_ids: Collection[str]) -> list[Job]:
    """Return the jobs that fill some cells of a defense, given by its index in the plan.

    The split into shards depends on the selection of pictures alone, not on the cells, so that an attack gets the same
    batches in every run.
    """
    defense_plan = plan.defenses[defense]

    def job(number: int, part: Part, images: Sequence[int], cells: Collection[str]) -> Job:
        return Job(defense=defense, number=number, part=part, images=tuple(images), cell_ids=frozenset(cells))

    images = defense_plan.images
    shards = [images[start : start + SHARD] for start in range(0, len(images), SHARD)]
    jobs = [job(number, "pictures", shard, cell_ids) for number, shard in enumerate(shards)]
    timed = {cell.cell_id for _, cell in defense_plan.latency} & set(cell_ids)
    # The scored passes went over the first link.
    further_links = {cell.cell_id for _, cell in defense_plan.latency[1:]} & timed
    samples = images[: plan.suite.latency.samples]
    if further_links and defense_plan.defense.servers:
        jobs.append(job(len(shards), "links", samples, further_links))
    # Passes without servers take no turns, but their times are projected to devices like the others.
    turns = plan.suite.latency.turn_taking and (defense_plan.defense.servers or plan.suite.latency.devices)
    if timed and turns:
        jobs.append(job(len(shards) + 1, "turns", samples, timed))
    return jobs
