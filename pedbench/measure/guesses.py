"""Attacks on what was received, in processes of their own, and the scores of their guesses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product, repeat
from math import inf

import numpy as np

from pedbench.adversary.isolation.process import AttackFailure
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.base import Attack, Metric
from pedbench.host.determinism import single_threaded
from pedbench.host.stopwatch import Stage
from pedbench.measure.bench import Bench, Outcome
from pedbench.measure.seeds import torch_seed
from pedbench.measure.view_independent_baselines import drawn, forget, unseen
from pedbench.measure.views import Held, Reception, joined
from pedbench.privacy.scoring import Score, one_colour, score, score_blind
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DefensePlan, Planned, draws
from pedbench.types import Picture, View
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


def _first(name: str) -> tuple[str, int]:
    """The attack and the draw of what `again` returned."""
    label, _, draw = name.partition(_AGAIN)
    return label, int(draw or 0)


def attack(
    bench: Bench, of: DefensePlan, attacked: Sequence[Reception], wanted: Collection[str], outcome: Outcome
) -> Guessed:
    """Let every wanted attack guess every picture from every coalition's view, and score the guesses.

    An attack that fails spoils its own cells; a floor, to which all others relate, spoils all.

    Returns:
        The guesses, those included that only a wanted probe asks for.
    """
    cells = [(planned, cell) for planned, cell in of.privacy if cell.cell_id in wanted]
    cells = [(planned, cell) for planned, cell in cells if cell.cell_id not in outcome.problems]
    read = [claims for claims in of.claims if claims.cell.cell_id in wanted]
    asked = [*cells, *((each.attack, each.cell) for each in read if each.attack is not None)]
    if not attacked or not asked:
        return Guessed()
    floors = {planned.plugin.label: planned for planned in bench.plan.floors} if cells else {}
    needed = floors | {planned.plugin.label: planned for planned, _ in asked}
    guessed = Guessed()
    with outcome.giving_up([cell for _, cell in asked], "attacking"), bench.profile.stage("attacks") as stage:
        guessed = _guesses(bench, attacked, needed, asked, outcome, stage)
    if cells:
        with outcome.giving_up([cell for _, cell in cells], "scoring the attacks"):
            _score(bench, of, attacked, cells, guessed, outcome)
    return guessed


def _score(
    bench: Bench,
    of: DefensePlan,
    attacked: Sequence[Reception],
    cells: Sequence[tuple[Planned, Cell]],
    guessed: Guessed,
    outcome: Outcome,
) -> None:
    keys, guesses, failures = _keys(attacked, cells), guessed.pictures, dict(guessed.failures)
    floors = {planned.plugin.label: planned for planned in bench.plan.floors}
    needed = floors | {planned.plugin.label: planned for planned, _ in cells}
    blind: dict[str, dict[int, Picture]] = {}
    # A control asks whether an attack does better with a decoy than with nothing.
    if of.defense.disclosure == "decoy":
        with bench.profile.stage("attacks without a view"):
            blind, unable = _blind(bench, attacked, needed)
        failures = unable | failures
    with bench.profile.stage("floors without a view"):
        failures |= _floor_distances(bench, attacked)
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
        place, held = key
        item = attacked[place]
        pictures = {label: found[key] for label, found in guesses.items() if key in found}
        truth, visible = item.frame, item.visible[held]
        blindly = {
            name: blind[label][place] for name in pictures for label, _ in [_first(name)] if label in blind
        }

        @contextmanager
        def around(metric: Metric) -> Iterator[None]:
            with _naming(metric, item), stage.part(metric.column):
                yield

        rows = score(
            truth,
            visible,
            pictures,
            bench.blind[item.sample.id],
            floors,
            bench.plan.metrics,
            unseeing=unseen(bench, item, held, blindly, around),
            pasting=one_colour(truth, visible, bench.prior.mean_colour),
            draws=drawn(bench, item, held, [*pictures], around),
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
        for (place, held), scores in zip(keys, threads.map(scored, keys, repeat(stage)), strict=True):
            _enter(scores, attacked[place], held, cells, outcome)
    forget(bench)


def _keys(attacked: Sequence[Reception], cells: Sequence[tuple[Planned, Cell]]) -> list[ViewKey]:
    """The views that the cells are about."""
    asked = {(cell.coalition, cell.coalitions, cell.requests or 1): cell for _, cell in cells}
    found = {
        (place, (cell.requests or 1, subset))
        for place, item in enumerate(attacked)
        for cell in asked.values()
        for subset in item.coalitions_of(cell)
    }
    return sorted(found)


def _enter(
    scores: Sequence[Score],
    item: Reception,
    held: Held,
    cells: Sequence[tuple[Planned, Cell]],
    outcome: Outcome,
) -> None:
    requests, subset = held
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
                for label, draw in [_first(found.attack)]
                if label == planned.plugin.label
            ]


def _guesses(
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
    keys = _keys(attacked, cells)
    data = {key: view_to_bytes(attacked[key[0]].views[key[1]]) for key in keys}
    offered = {key: offers(attacked[key[0]].views[key[1]]) for key in keys}
    asked = []
    for label, planned in needed.items():
        attack: Attack = planned.plugin
        rounds: list[list[ViewKey]] = []
        # Floors have to guess whatever others guess.
        own = [(each, cell) for each, cell in cells if each.plugin.label == label]
        heard = keys if attack.floor else _keys(attacked, own)
        heard = [key for key in heard if _guesses_it(bench, planned, attacked[key[0]])]
        for key in (key for key in heard if attack.needs & offered[key]):
            free = next((r for r in rounds if key[0] not in {place for place, _ in r}), None)
            if free is None:
                rounds.append(free := [])
            free.append(key)
        parts = [part for together in rounds for part in _parts(bench, attack, together)]
        for together, draw in product(parts, range(draws(attack, bench.plan.suite))):
            asked.append((again(label, draw), together))
    # The longest first, and before them what nobody has seen work: so no worker waits long for another's last job.
    asked.sort(key=lambda job: -len(job[1]) * bench.paces.get(_first(job[0])[0], inf))
    jobs = []
    for name, together in asked:
        seeds = [_seed(bench, attacked[place], name) for place, _ in together]
        spec = needed[_first(name)[0]].spec
        jobs.append((name, together, bench.pool.submit(spec, [data[key] for key in together], seeds)))
    guesses: dict[str, dict[ViewKey, Picture]] = {name: {} for name in (*needed, *(job[0] for job in jobs))}
    failures: dict[str, AttackFailure] = {}
    for name, together, job in jobs:
        label, _ = _first(name)
        try:
            answer = job.result()
            guesses[name] |= dict(zip(together, answer.pictures, strict=True))
            outcome.guesses[label] += [answer.seconds / len(together)] * len(together)
            stage.parts.append((label, answer.seconds))
            bench.paces[label] = answer.seconds / len(together)
        except AttackFailure as error:
            failures.setdefault(label, error)
    kept = {name: {} if _first(name)[0] in failures else found for name, found in guesses.items()}
    return Guessed(pictures=kept, failures=failures)


def _parts(bench: Bench, attack: Attack, together: Sequence[ViewKey]) -> list[Sequence[ViewKey]]:
    """A round as it is, or view by view where an attack takes them one by one and is known to take long.

    On an accelerator an attack has to get ready anew for each part, which takes longer than it gains.
    """
    quick = bench.paces.get(attack.label, 0.0) < SLOW
    if bench.device != "cpu" or attack.batches(bench.device) or quick:
        return [together]
    return [[key] for key in together]


def _guesses_it(bench: Bench, planned: Planned, item: Reception) -> bool:
    """Whether a picture is among the first ones that an attack is limited to."""
    return planned.limit is None or item.sample.id in bench.plan.dataset.ids()[: planned.limit]


def _seed(bench: Bench, item: Reception, name: str) -> int:
    # The same for every view of a picture, the empty one too: chance is then no difference between them.
    return torch_seed(bench.plan.suite.seed, bench.plan.dataset.name, item.sample.id, name)


def _blind(
    bench: Bench, attacked: Sequence[Reception], needed: Mapping[str, Planned]
) -> tuple[dict[str, dict[int, Picture]], dict[str, AttackFailure]]:
    """What attacks that can do without guess of each picture when they received nothing, and failures.

    Returns:
        By attack and place of the picture.
    """
    views = [
        view_to_bytes(View(frame_size=(item.frame.shape[0], item.frame.shape[1]), prior=bench.prior))
        for item in attacked
    ]
    jobs = {}
    for label, planned in needed.items():
        places = [place for place, item in enumerate(attacked) if _guesses_it(bench, planned, item)]
        if "nothing" in planned.plugin.needs and places:
            seeds = [_seed(bench, attacked[place], label) for place in places]
            jobs[label] = places, bench.pool.submit(planned.spec, [views[place] for place in places], seeds)
    found: dict[str, dict[int, Picture]] = {}
    failures: dict[str, AttackFailure] = {}
    for label, (places, job) in jobs.items():
        try:
            found[label] = dict(zip(places, job.result().pictures, strict=True))
        except AttackFailure as error:
            failures[label] = error
    return found, failures


def _floor_distances(bench: Bench, attacked: Sequence[Reception]) -> dict[str, AttackFailure]:
    """How near the best floor comes without any view: once per picture and run."""
    new = [item for item in attacked if item.sample.id not in bench.blind]
    if not new:
        return {}
    found, failures = _blind(bench, new, {planned.plugin.label: planned for planned in bench.plan.floors})
    if failures:
        return failures

    def nearest(place: int) -> dict[str, float]:
        guesses = {label: pictures[place] for label, pictures in found.items()}
        return score_blind(
            new[place].frame, guesses, bench.plan.metrics, lambda metric: _naming(metric, new[place])
        )

    with single_threaded() as threads:
        for item, distances in zip(new, threads.map(nearest, range(len(new))), strict=True):
            bench.blind[item.sample.id] = distances
    return {}


@contextmanager
def _naming(metric: Metric, item: Reception) -> Iterator[None]:
    """Say which metric it was that raised, and for which picture."""
    try:
        yield
    except Exception as error:
        reason = f"metric {metric.name}, picture {item.sample.id}: {type(error).__name__}: {error}"
        raise RuntimeError(reason) from error
