"""Attacks on what was received, and the scores of their guesses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat

import numpy as np

from pedbench.base import Metric
from pedbench.host.determinism import single_threaded
from pedbench.host.stopwatch import Stage
from pedbench.measure.applicability import inapplicable
from pedbench.measure.bench import Bench
from pedbench.measure.blind_guesses import (
    forget,
    guess_blind,
    measure_blind,
    measure_colours,
    measure_floors,
    naming,
)
from pedbench.measure.guesses import Guessed, ViewKey, first_draw, guess_views, view_keys
from pedbench.measure.outcome import Outcome
from pedbench.measure.scouting import Leakages, attacks_of_round, choose_worst
from pedbench.measure.views import Held, Reception, joined
from pedbench.privacy.scoring import Score, one_colour, score
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DefensePlan, Planned
from pedbench.types import Picture
from pedbench.validity.flags import UNCONFINED

PORTION = 208
"""Views whose guesses are kept at a time, in files: some ten megabytes each."""


def portions(attacked: Sequence[Reception]) -> Iterator[list[Reception]]:
    """Divide receptions so that the guesses of a portion take little room."""
    portion: list[Reception] = []
    for item in attacked:
        if portion and sum(len(each.views) for each in [*portion, item]) > PORTION:
            yield portion
            portion = []
        portion.append(item)
    if portion:
        yield portion


def attack(
    bench: Bench,
    plan: DefensePlan,
    attacked: Sequence[Reception],
    cell_ids: Collection[str],
    outcome: Outcome,
) -> Guessed:
    """Let every wanted attack guess, and score the guesses.

    Fast attacks guess from every coalition, and after them the attacks that complete what they read out. Slow ones
    guess from the coalitions that the fast ones found worst. An attack that fails spoils its own cells; a floor, to
    which all others relate, spoils all.

    Returns:
        The guesses, those included that only a wanted probe asks for.
    """
    cells = [(planned, cell) for planned, cell in plan.privacy if cell.cell_id in cell_ids]
    cells = [(planned, cell) for planned, cell in cells if cell.cell_id not in outcome.problems]
    read = [
        (claims.attack, claims.cell)
        for claims in plan.claims
        if claims.cell.cell_id in cell_ids and claims.attack is not None
    ]
    for planned, cell in [*cells, *read]:
        with outcome.giving_up([cell], f"attack {planned.plugin.name}"):
            if reason := inapplicable(bench.plan, plan, planned):
                outcome.unfit[cell.cell_id] = reason
    unfit = outcome.unfit.keys() | outcome.problems.keys()
    cells = [(planned, cell) for planned, cell in cells if cell.cell_id not in unfit]
    due = [*cells, *((planned, cell) for planned, cell in read if cell.cell_id not in unfit)]
    guessed = Guessed()
    if not attacked or not due:
        return guessed
    chosen = [(planned, cell) for planned, cell in due if cell.scouts is not None]
    for slow in (False, True):
        now = [(planned, cell) for planned, cell in due if planned.slow == slow]
        if not now and (slow or not chosen):
            continue
        participants = attacks_of_round(bench, attacked, now, [] if slow else [cell for _, cell in chosen])
        with (
            outcome.giving_up([cell for _, cell in due], "attacking"),
            bench.profile.stage("attacks") as stage,
        ):
            for chains in (False, True):
                part = {
                    label: each
                    for label, each in participants.items()
                    if (each[0].read_out is not None) == chains
                }
                decoys = plan.defense.disclosure == "decoy"
                guess_views(bench, attacked, part, guessed, outcome, stage, decoys=decoys)
        for planned, cell in due:
            if planned.slow == slow:
                uploaded = guessed.uploaded.get(planned.label, {})
                keys = view_keys(attacked, [cell]) & uploaded.keys()
                outcome.add_uploads(cell.cell_id, Counter(uploaded[key] for key in keys))
            outcome.confinement[cell.cell_id] = dict(bench.pool.force)
            if not bench.pool.enforced:
                outcome.flags[cell.cell_id].add(UNCONFINED)
        scored = [(planned, cell) for planned, cell in cells if planned.slow == slow]
        with outcome.giving_up([cell for _, cell in cells], "scoring the attacks"):
            leaked = _score(bench, plan, attacked, scored, participants, guessed, outcome)
            if not slow:
                choose_worst(attacked, [cell for _, cell in chosen], leaked)
    return guessed


def _score(
    bench: Bench,
    plan: DefensePlan,
    attacked: Sequence[Reception],
    cells: Sequence[tuple[Planned, Cell]],
    participants: Mapping[str, tuple[Planned, Collection[ViewKey]]],
    guessed: Guessed,
    outcome: Outcome,
) -> Leakages:
    failures = dict(guessed.failures)
    floors = {planned.label: planned for planned in bench.plan.floors}
    needed = {label: planned for label, (planned, _) in participants.items()}
    keys = sorted(set().union(*(keys for _, keys in participants.values())))
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
        label = planned.label
        if label in failures:
            outcome.spoil([cell], "failed", str(failures[label]))
        elif broken is not None:
            reason = f"a floor, to which leakage and advantage relate, failed: {broken}"
            outcome.spoil([cell], "failed", reason)
        elif not guessed.of(label):
            outcome.unfit[cell.cell_id] = nothing_usable(planned)
    leaked: Leakages = {}
    if broken is not None:
        return leaked

    def scored(key: ViewKey, stage: Stage) -> list[Score]:
        place, coalition = key
        item = attacked[place]
        pictures = {
            name: found[key]
            for name, found in guessed.pictures.items()
            if key in found and first_draw(name)[0] in needed
        }
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
            unseeing=measure_blind(bench, item, coalition, blindly, around),
            pasting=one_colour(truth, visible, bench.prior.mean_colour),
            draws=measure_colours(bench, item, coalition, [*pictures], around),
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
        for key, scores in zip(keys, threads.map(scored, keys, repeat(stage)), strict=True):
            _enter(scores, attacked[key[0]], key[1], cells, outcome)
            for found in scores:
                if found.metric.startswith("leakage["):
                    leaked[key, found.metric] = max(found.value, leaked.get((key, found.metric), -np.inf))
    forget(bench)
    return leaked


def nothing_usable(planned: Planned) -> str:
    """Return in words that servers received nothing that an attack can use."""
    needs = ", ".join(sorted(planned.needs))
    if planned.read_out is None:
        return f"{planned.label} needs {needs}, of which nothing was received"
    return f"{planned.label}: nothing was received of {needs}, or its reading leaves nothing of the frame to complete"


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
                if label == planned.label
            ]
