"""Attacks on what was received, and the scores of their guesses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat

import numpy as np

from pedbench.base import Metric
from pedbench.host.determinism import single_threaded
from pedbench.host.stopwatch import Stage
from pedbench.measure.bench import Bench
from pedbench.measure.blind_guesses import guess_blind, measure_floors, naming
from pedbench.measure.guesses import (
    Guessed,
    ViewKey,
    first_draw,
    guess_views,
    view_keys,
)
from pedbench.measure.outcome import Outcome
from pedbench.measure.view_independent_baselines import drawn, forget, unseen
from pedbench.measure.views import Held, Reception, joined
from pedbench.privacy.scoring import Score, one_colour, score
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DefensePlan, Planned
from pedbench.types import Picture


def attack(
    bench: Bench,
    plan: DefensePlan,
    attacked: Sequence[Reception],
    cell_ids: Collection[str],
    outcome: Outcome,
) -> Guessed:
    """Let every wanted attack guess every picture from every coalition's view, and score the guesses.

    An attack that fails spoils its own cells; a floor, to which all others relate, spoils all.

    Returns:
        The guesses, those included that only a wanted probe asks for.
    """
    cells = [(planned, cell) for planned, cell in plan.privacy if cell.cell_id in cell_ids]
    cells = [(planned, cell) for planned, cell in cells if cell.cell_id not in outcome.problems]
    read = [claims for claims in plan.claims if claims.cell.cell_id in cell_ids]
    due = [*cells, *((each.attack, each.cell) for each in read if each.attack is not None)]
    if not attacked or not due:
        return Guessed()
    floors = {planned.plugin.label: planned for planned in bench.plan.floors} if cells else {}
    needed = floors | {planned.plugin.label: planned for planned, _ in due}
    guessed = Guessed()
    with outcome.giving_up([cell for _, cell in due], "attacking"), bench.profile.stage("attacks") as stage:
        guessed = guess_views(bench, attacked, needed, due, outcome, stage)
    if cells:
        with outcome.giving_up([cell for _, cell in cells], "scoring the attacks"):
            _score(bench, plan, attacked, cells, guessed, outcome)
    return guessed


def _score(
    bench: Bench,
    plan: DefensePlan,
    attacked: Sequence[Reception],
    cells: Sequence[tuple[Planned, Cell]],
    guessed: Guessed,
    outcome: Outcome,
) -> None:
    keys, guesses, failures = view_keys(attacked, cells), guessed.pictures, dict(guessed.failures)
    floors = {planned.plugin.label: planned for planned in bench.plan.floors}
    needed = floors | {planned.plugin.label: planned for planned, _ in cells}
    blind: dict[str, dict[int, Picture]] = {}
    # A control asks whether an attack does better with a decoy than with nothing.
    if plan.defense.disclosure == "decoy":
        with bench.profile.stage("attacks without a view"):
            blind, unable = guess_blind(bench, attacked, needed)
        failures = unable | failures
    with bench.profile.stage("floors without a view"):
        failures |= measure_floors(bench, attacked)
    broken = next((failure for label, failure in failures.items() if label in floors), None)
    for planned, cell in cells:
        label = planned.plugin.label
        if label in failures:
            outcome.spoil([cell], "failed", str(failures[label]))
        elif broken is not None:
            reason = f"a floor, to which leakage and advantage relate, failed: {broken}"
            outcome.spoil([cell], "failed", reason)
        elif not guesses[label]:
            needs = ", ".join(sorted(planned.plugin.needs))
            outcome.unfit[cell.cell_id] = f"{label} needs {needs}, of which nothing was received"
    if broken is not None:
        return

    def scored(key: ViewKey, stage: Stage) -> list[Score]:
        place, coalition = key
        item = attacked[place]
        pictures = {label: found[key] for label, found in guesses.items() if key in found}
        truth, visible = item.frame, item.visible[coalition]
        blindly = {
            name: blind[label][place]
            for name in pictures
            for label, _ in [first_draw(name)]
            if label in blind
        }

        @contextmanager
        def around(metric: Metric) -> Iterator[None]:
            with naming(metric, item), stage.part(metric.column):
                yield

        rows = score(
            truth,
            visible,
            pictures,
            bench.blind[item.sample.id],
            floors,
            bench.plan.metrics,
            unseeing=unseen(bench, item, coalition, blindly, around),
            pasting=one_colour(truth, visible, bench.prior.mean_colour),
            draws=drawn(bench, item, coalition, [*pictures], around),
            around=around,
        )
        if bench.gallery is not None:
            with stage.part("retrieval"):
                for label, guess in pictures.items():
                    pasted = np.where(visible[..., None], truth, guess)
                    found = bench.gallery.find_guess(item.sample.id, pasted)
                    names = bench.gallery.names()
                    rows += [Score(label, "", name, value) for name, value in zip(names, found, strict=True)]
        return rows

    with single_threaded() as threads, bench.profile.stage("scoring") as stage:
        for (place, coalition), scores in zip(keys, threads.map(scored, keys, repeat(stage)), strict=True):
            _enter(scores, attacked[place], coalition, cells, outcome)
    forget(bench)


def _enter(
    scores: Sequence[Score],
    item: Reception,
    coalition: Held,
    cells: Sequence[tuple[Planned, Cell]],
    outcome: Outcome,
) -> None:
    requests, subset = coalition
    for planned, cell in cells:
        if cell.cell_id in outcome.problems or cell.requests != requests:
            continue
        if subset in item.coalitions_of(cell):
            outcome.rows[cell.cell_id] += [
                {
                    "image": item.sample.id,
                    "region": found.region,
                    "servers": joined(subset),
                    "seed": draw,
                    "metric": found.metric,
                    "value": found.value,
                }
                for found in scores
                for label, draw in [first_draw(found.attack)]
                if label == planned.plugin.label
            ]
