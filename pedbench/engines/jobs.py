"""What an engine is given and what it gives back."""

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
"""Pictures whose passes are run, and whose views are then attacked, at a time: what bounds the memory."""

Part = Literal["pictures", "links", "turns"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One defense over a shard of pictures: the unit of work.

    Attributes:
        defense: Its place in the plan.
        number: Of the shard of values that comes of it; shards of pictures count from 0.
        part: `pictures` measures everything; `links` and `turns` time passes again, and need a quiet machine.
        images: Indices into the dataset.
        wanted: Ids of the cells to fill.
    """

    defense: int
    number: int
    part: Part
    images: tuple[int, ...]
    wanted: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of a job.

    Attributes:
        asked: Ids of the cells that were to be filled when it began; none if it was not begun.
        seconds: How long it took, without warming up.
        warming: How long it took to warm up for it; 0 if that was done before.
        opening: How long the worker took to be ready at all, if this was its first job.
        stages: Seconds by stage, of a job that was done in another process.
        machine: Id of the machine, as in a record's provenance.
        defects: What is wrong with the dataset's annotations, as far as they were read.
    """

    job: Job
    asked: frozenset[str] = frozenset()
    outcome: Outcome = field(default_factory=Outcome)
    seconds: float = 0.0
    warming: float = 0.0
    opening: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    machine: str = ""
    defects: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Work:
    """All jobs of a run, and what they are about.

    Attributes:
        plugins: Files and folders with further plugins.
        networks: The edge's models, for an engine that computes in this process.
        jobs: Those of a defense follow each other.
        left: Which of a job's cells are still worth filling: those that have failed meanwhile are not.
    """

    suite: ResolvedSuite
    plugins: Sequence[Path]
    plan: Plan
    networks: FamilyNetworks
    jobs: Sequence[Job]
    left: Callable[[Job], frozenset[str]]
    console: Console
    profile: Profile


class EngineError(ValueError):
    """An engine cannot be had, or cannot do anything."""


class Engine(ABC):
    """Does jobs somewhere.

    Attributes:
        name: As the command line and records have it.
        times: Whether it can time passes, which takes a machine that does nothing else.
        device: Where models compute, as torch names it.
        servers: What servers on other machines say of themselves and their clocks; none of this machine's own.
    """

    name: ClassVar[str]
    times: ClassVar[bool]
    device: str
    servers: Sequence[Mapping[str, Any]] = ()

    @abstractmethod
    def do(self, work: Work) -> Generator[Done]:
        """Do all jobs, and give each back once, in any order, as soon as it is done.

        Raises:
            PluginError: A metric or probe cannot be prepared.
            EngineError: Nobody can do the jobs.
        """


def jobs_of(plan: Plan, defense: int, wanted: Collection[str]) -> list[Job]:
    """The jobs that fill some cells of a defense.

    Shards are cut by the picture's place in the selection, whatever is wanted: a batch of an attack never differs
    between runs.
    """
    of = plan.defenses[defense]

    def job(number: int, part: Part, images: Sequence[int], cells: Collection[str]) -> Job:
        return Job(defense=defense, number=number, part=part, images=tuple(images), wanted=frozenset(cells))

    shards = [of.images[start : start + SHARD] for start in range(0, len(of.images), SHARD)]
    jobs = [job(number, "pictures", images, wanted) for number, images in enumerate(shards)]
    timed = {cell.cell_id for _, cell in of.latency} & set(wanted)
    # The scored passes went over the first link.
    others = {cell.cell_id for _, cell in of.latency[1:]} & timed
    again = of.images[: plan.suite.latency.samples]
    if others and of.defense.servers:
        jobs.append(job(len(shards), "links", again, others))
    # Passes of the edge alone take no turns, and are projected as the others are.
    turns = plan.suite.latency.turn_taking and (of.defense.servers or plan.suite.latency.devices)
    if timed and turns:
        jobs.append(job(len(shards) + 1, "turns", again, timed))
    return jobs
