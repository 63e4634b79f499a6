"""Passes in which servers lie: what is left of utility, and whether a liar was found, as values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pedbench.measure.bench import Bench
from pedbench.measure.outcome import Outcome, Row
from pedbench.measure.seeds import generator, torch_seed
from pedbench.measure.utility import score_masks
from pedbench.offload.integrity.dishonest_replies import Lies
from pedbench.offload.integrity.spot_checks import SpotChecks, detection
from pedbench.offload.passes.calls import PassSettings
from pedbench.results.summary import EXPECTED, FOUND
from pedbench.suites.cell import Cell, Lie
from pedbench.suites.plan import DefensePlan
from pedbench.types import Picture, Sample
from pedbench.validity.flags import DEGRADED


def let_lie(
    bench: Bench,
    of: DefensePlan,
    sample: Sample,
    frame: Picture,
    cells: Collection[Cell],
    outcome: Outcome,
) -> None:
    """Run a pass for each lie of a defense, as the first request for the picture but for the liars.

    A liar that is found is given up, and the edge computes its windows. Nothing of these passes is timed or attacked.

    Args:
        cells: Those that are to be filled.
    """
    before: Mapping[int, Mapping[Any, Any]] | None = None
    for plan in of.lies:
        wanted = [(choice, cell) for choice, cell in plan.cells if cell in cells]
        lost = [cell for _, cell in wanted]
        if not wanted:
            continue
        with outcome.giving_up(lost, f"picture {sample.id}"), bench.profile.stage("lying servers"):
            if plan.lie.lie == "replay" and before is None:
                before = _returned_before(bench, of, sample)
            lies = _lies(bench, of, sample, plan.lie, before or {})
            checks = _checks(bench, of, sample, plan.lie)
            done = bench.run(of, sample, frame, _liar_settings(bench, of, sample, lies, checks))
            if set(done.lost) - lies.servers:
                outcome.flag(lost, DEGRADED)
            for choice, cell in wanted:
                found = bool(lies.servers & set(done.lost))
                outcome.rows[cell.cell_id] += [
                    *score_masks(bench, choice, sample, frame, done),
                    *_found(sample, found, lies, plan.lie.checks),
                ]


def _liar_settings(
    bench: Bench, plan: DefensePlan, sample: Sample, lies: Lies, checks: SpotChecks
) -> PassSettings:
    """Return the settings of a sample's first request, but that servers lie and the edge replaces those it finds."""
    return replace(bench.settings(plan, sample), on_lost="edge", spot_checks=checks, lies=lies)


def _found(sample: Sample, found: bool, lies: Lies, checks: int) -> list[Row]:
    # What is not finite is refused, whatever is checked.
    sure = lies.lie == "nan" and bool(lies.servers)
    expected = 1.0 if sure else detection(lies.assigned, len(lies.wrong), checks)
    values = {FOUND: float(found), EXPECTED: expected}
    return [{"image": sample.id, "metric": metric, "value": value} for metric, value in values.items()]


def _lies(
    bench: Bench, of: DefensePlan, sample: Sample, lie: Lie, before: Mapping[int, Mapping[Any, Any]]
) -> Lies:
    drawn = torch_seed(
        bench.plan.suite.seed, bench.plan.dataset.name, sample.id, f"{lie.label} in {of.defense.label}"
    )
    return Lies(
        lie=lie.lie,
        liars=lie.liars,
        strength=lie.strength or 1.0,
        seed=drawn,
        earlier=before,
    )


def _checks(bench: Bench, of: DefensePlan, sample: Sample, lie: Lie) -> SpotChecks:
    """Windows drawn from the suite's seed, anew for each lie, and so that a run can be repeated."""
    rng: np.random.Generator = generator(
        bench.plan.suite.seed,
        bench.plan.dataset.name,
        sample.id,
        f"{lie.checks} checks of {of.defense.label} under {lie.label} of {lie.liars}",
    )
    return SpotChecks(count=lie.checks, rng=rng)


def _returned_before(bench: Bench, of: DefensePlan, sample: Sample) -> Mapping[int, Mapping[Any, Any]]:
    """Return what servers return for the dataset's picture before this one, before the first for the last.

    They are asked anew, so that no value depends on where a run was cut into shards.
    """
    dataset = bench.plan.dataset
    earlier = dataset[dataset.ids().index(sample.id) - 1]
    listening = Lies()
    settings = _liar_settings(bench, of, earlier, listening, SpotChecks())
    bench.run(of, earlier, bench.frame(earlier), settings)
    return listening.returned
