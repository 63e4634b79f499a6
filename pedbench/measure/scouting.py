"""The attacks that guess in a round, and the coalitions that fast attacks find worst for the slow ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pedbench.measure.bench import Bench
from pedbench.measure.guesses import ViewKey, view_keys
from pedbench.measure.views import Reception
from pedbench.models.trained import untrained
from pedbench.suites.cell import Cell
from pedbench.suites.plan import Planned

Leakages = dict[tuple[ViewKey, str], float]
"""The largest leakage that an attack reached, by view and distance."""


def attacks_of_round(
    bench: Bench,
    attacked: Sequence[Reception],
    due: Sequence[tuple[Planned, Cell]],
    scouted: Sequence[Cell],
) -> dict[str, tuple[Planned, set[ViewKey]]]:
    """Return by label the attacks that guess now, and from which views.

    Args:
        due: The attacks whose guesses are wanted, and their cells.
        scouted: Cells whose coalitions fast attacks have to find; those guess from all that come into question.
    """
    participants: dict[str, tuple[Planned, set[ViewKey]]] = {}

    def add(planned: Planned, keys: Iterable[ViewKey]) -> None:
        participants.setdefault(planned.label, (planned, set()))[1].update(keys)

    every = {
        (place, (cell.requests or 1, subset))
        for place, item in enumerate(attacked)
        for cell in scouted
        if cell.coalition is not None
        for subset in item.subsets[cell.coalition, cell.requests or 1]
    }
    for planned, cell in due:
        add(planned, view_keys(attacked, [cell]) if cell.scouts is None or planned.slow else ())
        if planned.read_out is not None:
            add(planned.read_out, participants[planned.label][1])
    if every:
        for planned in bench.plan.scouts:
            # One without its network would fail, and with it the cells of probes that read its guesses.
            if not any(untrained(plugin.files) for plugin in planned.plugins):
                add(planned, {key for key in every if key[1][0] == planned.requests})
    # Floors have to guess whatever others guess.
    for planned in bench.plan.floors:
        add(planned, every.union(*(keys for _, keys in participants.values())))
    return participants


def choose_worst(attacked: Sequence[Reception], cells: Sequence[Cell], leaked: Leakages) -> None:
    """Choose for each picture, rule and distance the coalition to which an attack brought the largest leakage."""
    distances = sorted({distance for _, distance in leaked})
    for cell in cells:
        if cell.coalition is None:
            continue
        rule = cell.coalition, cell.requests or 1
        for place, item in enumerate(attacked):
            subsets = item.subsets[rule]
            keys = [(place, (rule[1], subset)) for subset in subsets]
            worst = [
                max(keys, key=lambda key: leaked.get((key, distance), -np.inf)) for distance in distances
            ]
            found = dict.fromkeys(subset for _, (_, subset) in worst)
            item.worst[rule] = tuple(found) or subsets[:1]
