"""Attacks on what was received, in processes of their own, and the scores of their guesses."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pedbench.base import Attack
from pedbench.cell import Cell
from pedbench.isolation import AttackFailure
from pedbench.measure.bench import Bench, Outcome
from pedbench.measure.reception import Reception, joined
from pedbench.plan import DefensePlan, Planned
from pedbench.provenance import cores
from pedbench.scoring import Score, score, score_blind
from pedbench.seeds import torch_seed
from pedbench.types import Picture, View
from pedbench.view_io import view_to_bytes

ViewKey = tuple[int, tuple[int, ...]]
"""Place of a picture among those attacked, and a coalition."""


def attack(
    bench: Bench, of: DefensePlan, attacked: Sequence[Reception], wanted: Collection[str], outcome: Outcome
) -> None:
    """Let every wanted attack guess every picture from every coalition's view, and score the guesses."""
    if not attacked:
        return
    cells = [(planned, cell) for planned, cell in of.privacy if cell.cell_id in wanted]
    cells = [(planned, cell) for planned, cell in cells if cell.cell_id not in outcome.problems]
    needed = {planned.plugin.label: planned for planned, _ in cells}
    # Floors are the reference of every other attack, whether or not their own cells are wanted.
    needed |= {planned.plugin.label: planned for planned in bench.plan.attacks if planned.plugin.floor}
    fit = {label: _fitting(planned.plugin, attacked) for label, planned in needed.items()}
    for planned, cell in cells:
        if not fit[planned.plugin.label]:
            needs = ", ".join(sorted(planned.plugin.needs))
            outcome.spoil(
                [cell], "skipped", f"{planned.plugin.name} needs {needs}, of which nothing was received"
            )
    _floor_distances(bench, attacked)
    # A control asks whether an attack does better with a decoy than with nothing.
    unseeing = _blind(bench, attacked, needed) if of.defense.disclosure == "decoy" else None
    guesses = _guesses(bench, of, attacked, needed, fit)
    failures = {
        label: str(error) for label, found in guesses.items() if isinstance(error := found, AttackFailure)
    }
    for planned, cell in cells:
        if planned.plugin.label in failures:
            outcome.spoil([cell], "failed", failures[planned.plugin.label])
    floors = {planned.plugin.label for planned in bench.plan.attacks if planned.plugin.floor} - set(failures)

    def scored(key: ViewKey) -> list[Score]:
        place, subset = key
        item = attacked[place]
        return score(
            item.frame,
            item.visible[subset],
            {
                label: found[key]
                for label, found in guesses.items()
                if not isinstance(found, AttackFailure) and key in found
            },
            bench.blind[item.sample.id],
            floors,
            bench.plan.metrics,
            unseeing[place] if unseeing is not None else None,
        )

    keys = [(place, subset) for place, item in enumerate(attacked) for subset in item.views]
    with ThreadPoolExecutor(cores()) as threads:
        for key, scores in zip(keys, threads.map(scored, keys), strict=True):
            _enter(scores, attacked[key[0]], key[1], cells, outcome)


def _enter(
    scores: Sequence[Score],
    item: Reception,
    subset: tuple[int, ...],
    cells: Sequence[tuple[Planned, Cell]],
    outcome: Outcome,
) -> None:
    for planned, cell in cells:
        if cell.cell_id in outcome.problems or cell.coalition is None:
            continue
        if subset in item.subsets[cell.coalition]:
            outcome.rows[cell.cell_id] += [
                {
                    "image": item.sample.id,
                    "region": found.region,
                    "servers": joined(subset),
                    "metric": found.metric,
                    "value": found.value,
                }
                for found in scores
                if found.attack == planned.plugin.label
            ]


def _fitting(attack: Attack, attacked: Sequence[Reception]) -> set[ViewKey]:
    """The views that hold something that the attack can use, as place among the pictures and coalition."""
    return {
        (place, subset)
        for place, item in enumerate(attacked)
        for subset, view in item.views.items()
        if attack.needs & _offers(view)
    }


def _offers(view: View) -> set[str]:
    kinds = {
        "pixels": view.patches,
        "degraded": view.degraded,
        "tokens": view.tokens,
        "metadata": view.messages,
    }
    return {"nothing"} | {kind for kind, held in kinds.items() if held}


def _guesses(
    bench: Bench,
    of: DefensePlan,
    attacked: Sequence[Reception],
    needed: dict[str, Planned],
    fit: dict[str, set[ViewKey]],
) -> dict[str, dict[ViewKey, Picture] | AttackFailure]:
    """Guesses by attack. No call holds two views of one picture, as an attack could put them together."""
    data = {
        (place, subset): view_to_bytes(view)
        for place, item in enumerate(attacked)
        for subset, view in item.views.items()
    }
    jobs = []
    for label, planned in needed.items():
        rounds: list[list[ViewKey]] = []
        for key in sorted(fit[label]):
            later = next((r for r in rounds if key[0] not in {place for place, _ in r}), None)
            if later is None:
                rounds.append(later := [])
            later.append(key)
        for keys in rounds:
            seeds = [
                _attack_seed(
                    bench, attacked[place].sample.id, f"{label} on {of.defense.label} {joined(subset)}"
                )
                for place, subset in keys
            ]
            jobs.append((label, keys, bench.pool.submit(planned.spec, [data[key] for key in keys], seeds)))
    result: dict[str, Any] = {label: {} for label in needed}
    for label, keys, job in jobs:
        try:
            pictures = job.result().pictures
        except AttackFailure as error:
            result[label] = error
        else:
            if not isinstance(result[label], AttackFailure):
                result[label] |= dict(zip(keys, pictures, strict=True))
    return result


def _attack_seed(bench: Bench, image: str, component: str) -> int:
    return torch_seed(bench.plan.suite.seed, bench.plan.dataset.name, image, component)


def _blind(
    bench: Bench, attacked: Sequence[Reception], needed: dict[str, Planned]
) -> list[dict[str, Picture]]:
    """What attacks guess of each picture's frame when they received nothing of it."""
    views = [
        view_to_bytes(View(frame_size=(item.frame.shape[0], item.frame.shape[1]), prior=bench.prior))
        for item in attacked
    ]
    jobs = {}
    for label, planned in needed.items():
        seeds = [_attack_seed(bench, item.sample.id, f"{label}, blind") for item in attacked]
        jobs[label] = bench.pool.submit(planned.spec, views, seeds)
    found = {label: job.result().pictures for label, job in jobs.items()}
    return [{label: pictures[place] for label, pictures in found.items()} for place in range(len(attacked))]


def _floor_distances(bench: Bench, attacked: Sequence[Reception]) -> None:
    """How near the best floor comes without any view: once per picture and run."""
    new = [item for item in attacked if item.sample.id not in bench.blind]
    if new:
        floors = {planned.plugin.label: planned for planned in bench.plan.attacks if planned.plugin.floor}
        for item, guesses in zip(new, _blind(bench, new, floors), strict=True):
            bench.blind[item.sample.id] = score_blind(item.frame, guesses, bench.plan.metrics)
