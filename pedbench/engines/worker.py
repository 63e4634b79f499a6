"""Worker that does the jobs of an engine with a bench."""

from __future__ import annotations

import time
from collections.abc import Callable

from pedbench.data.readable import FileDataset
from pedbench.engines.jobs import Done, Job
from pedbench.engines.open_bench import warm_up_bench
from pedbench.host.provenance import cores, machine
from pedbench.measure.bench import Bench
from pedbench.measure.one_defense import measure
from pedbench.measure.outcome import Outcome
from pedbench.measure.pass_times import time_links, time_turns
from pedbench.suites.plan import DefensePlan


class Worker:
    """A worker that does jobs with a bench, one at a time, and warms up when the defense changes.

    Args:
        bench: An open bench for all defenses of the jobs.
        opening: Seconds that opening the bench took.
    """

    def __init__(self, bench: Bench, opening: float) -> None:
        self._bench, self._opening = bench, opening
        self._warm: DefensePlan | None = None

    def do(
        self, job: Job, cell_ids: frozenset[str], advance: Callable[[int], None] = lambda steps: None
    ) -> Done:
        """Do a job.

        Args:
            cell_ids: Ids of the cells to fill.
            advance: Called with 1 after each picture's pass.
        """
        bench, plan = self._bench, self._bench.plan.defenses[job.defense]
        opening, self._opening = self._opening, 0.0
        began = time.perf_counter()
        outcome = self._warm_up(plan, cell_ids)
        started = time.perf_counter()
        if self._warm is plan:
            if job.part == "pictures":
                outcome = measure(bench, plan, job.images, cell_ids, advance)
            elif job.part == "links":
                links = [(link, cell) for link, cell in plan.latency if cell.cell_id in cell_ids]
                with bench.profile.stage("further links"):
                    outcome = time_links(bench, plan, job.images, links)
            else:
                with bench.profile.stage("taking turns"):
                    outcome = time_turns(bench, plan, job.images, cell_ids, threads=cores())
        dataset = bench.plan.dataset
        return Done(
            job=job,
            cell_ids=cell_ids,
            outcome=outcome,
            seconds=time.perf_counter() - started,
            warming=started - began,
            opening=opening,
            machine=str(machine(bench.device)["machine_id"]),
            defects=dict(dataset.defects) if isinstance(dataset, FileDataset) else {},
        )

    def _warm_up(self, plan: DefensePlan, cell_ids: frozenset[str]) -> Outcome:
        outcome = Outcome()
        if self._warm is not plan:
            self._warm = None
            cells = [cell for cell in plan.cells() if cell.cell_id in cell_ids]
            with outcome.giving_up(cells, "warming up"), self._bench.profile.stage("warming up"):
                plan.defense.prepare(self._bench.device)
                self._bench.restore_servers()
                warm_up_bench(self._bench, plan)
                self._warm = plan
        return outcome
