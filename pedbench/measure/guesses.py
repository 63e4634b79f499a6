"""Guesses that attacks make of what was received, in processes of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import inf

from pedbench.adversary.isolation.parent import AttackFailure
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.base import Attack
from pedbench.host.stopwatch import Stage
from pedbench.measure.bench import Bench
from pedbench.measure.outcome import Outcome
from pedbench.measure.seeds import torch_seed
from pedbench.measure.views import Held, Reception
from pedbench.suites.cell import Cell
from pedbench.suites.plan import Planned, draws
from pedbench.types import Picture
from pedbench.validity.flags import offers

SLOW = 0.5
"""Seconds a guess from which views are shared out one by one: a call costs some hundredths of a second."""


ViewKey = tuple[int, Held]
"""Place of a picture among those attacked, and who listened to how many requests."""


@dataclass(frozen=True, kw_only=True)
class Guessed:
    """What attacks made of some receptions.

    Attributes:
        pictures: By attack, or by `again` of it, and view; a view that offers an attack nothing has no guess.
        failures: By attack; it then has no guess at all.
    """

    pictures: Mapping[str, Mapping[ViewKey, Picture]] = field(default_factory=dict)
    failures: Mapping[str, AttackFailure] = field(default_factory=dict)


_AGAIN = " again, "


def again(label: str, draw: int) -> str:
    """What a guess is filed under, the first being draw 0."""
    return f"{label}{_AGAIN}{draw}" if draw else label


def first_draw(name: str) -> tuple[str, int]:
    """The attack and the draw of what `again` returned."""
    label, _, draw = name.partition(_AGAIN)
    return label, int(draw or 0)


def view_keys(attacked: Sequence[Reception], cells: Sequence[tuple[Planned, Cell]]) -> list[ViewKey]:
    """The views that the cells are about."""
    asked = {(cell.coalition, cell.coalitions, cell.requests or 1): cell for _, cell in cells}
    found = {
        (place, (cell.requests or 1, subset))
        for place, item in enumerate(attacked)
        for cell in asked.values()
        for subset in item.coalitions_of(cell)
    }
    return sorted(found)


def guess_views(
    bench: Bench,
    attacked: Sequence[Reception],
    needed: Mapping[str, Planned],
    cells: Sequence[tuple[Planned, Cell]],
    outcome: Outcome,
    stage: Stage,
) -> Guessed:
    """Guesses of the views that hold something that an attack can use, and failures, by attack.

    No call holds two views of one picture, as an attack could put them together.
    """
    keys = view_keys(attacked, cells)
    data = {key: view_to_bytes(attacked[key[0]].views[key[1]]) for key in keys}
    offered = {key: offers(attacked[key[0]].views[key[1]]) for key in keys}
    asked = []
    for label, planned in needed.items():
        attack: Attack = planned.plugin
        rounds: list[list[ViewKey]] = []
        # Floors have to guess whatever others guess.
        own = [(each, cell) for each, cell in cells if each.plugin.label == label]
        heard = keys if attack.floor else view_keys(attacked, own)
        heard = [key for key in heard if guesses_it(bench, planned, attacked[key[0]])]
        for key in (key for key in heard if attack.needs & offered[key]):
            free = next((r for r in rounds if key[0] not in {place for place, _ in r}), None)
            if free is None:
                rounds.append(free := [])
            free.append(key)
        parts = [part for together in rounds for part in _parts(bench, attack, together)]
        for together, draw in product(parts, range(draws(attack, bench.plan.suite))):
            asked.append((again(label, draw), together))
    # The longest first, and before them what nobody has seen work: so no worker waits long for another's last job.
    asked.sort(key=lambda job: -len(job[1]) * bench.paces.get(first_draw(job[0])[0], inf))
    jobs = []
    for name, together in asked:
        seeds = [guess_seed(bench, attacked[place], name) for place, _ in together]
        spec = needed[first_draw(name)[0]].spec
        jobs.append((name, together, bench.pool.submit(spec, [data[key] for key in together], seeds)))
    guesses: dict[str, dict[ViewKey, Picture]] = {name: {} for name in (*needed, *(job[0] for job in jobs))}
    failures: dict[str, AttackFailure] = {}
    for name, together, job in jobs:
        label, _ = first_draw(name)
        try:
            answer = job.result()
            guesses[name] |= dict(zip(together, answer.pictures, strict=True))
            outcome.guesses[label] += [answer.seconds / len(together)] * len(together)
            stage.parts.append((label, answer.seconds))
            bench.paces[label] = answer.seconds / len(together)
        except AttackFailure as error:
            failures.setdefault(label, error)
    kept = {name: {} if first_draw(name)[0] in failures else found for name, found in guesses.items()}
    return Guessed(pictures=kept, failures=failures)


def _parts(bench: Bench, attack: Attack, together: Sequence[ViewKey]) -> list[Sequence[ViewKey]]:
    """A round as it is, or view by view where an attack takes them one by one and is known to take long.

    On an accelerator an attack has to get ready anew for each part, which takes longer than it gains.
    """
    quick = bench.paces.get(attack.label, 0.0) < SLOW
    if bench.device != "cpu" or attack.batches(bench.device) or quick:
        return [together]
    return [[key] for key in together]


def guesses_it(bench: Bench, planned: Planned, item: Reception) -> bool:
    """Whether a picture is among the first ones that an attack is limited to."""
    return planned.limit is None or item.sample.id in bench.plan.dataset.ids()[: planned.limit]


def guess_seed(bench: Bench, item: Reception, name: str) -> int:
    # The same for every view of a picture, the empty one too: chance is then no difference between them.
    return torch_seed(bench.plan.suite.seed, bench.plan.dataset.name, item.sample.id, name)
