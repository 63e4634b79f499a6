"""Guesses that attacks make of what was received, in processes of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, field, replace
from itertools import product
from math import inf

import numpy as np

from pedbench.adversary.isolation.answers import AttackFailure, Guesses
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.host.stopwatch import Stage
from pedbench.measure.bench import Bench
from pedbench.measure.outcome import Outcome
from pedbench.measure.paintings import painted
from pedbench.measure.seeds import guess_seed
from pedbench.measure.stored_pictures import StoredPictures
from pedbench.measure.views import Held, Reception
from pedbench.suites.cell import Cell
from pedbench.suites.plan import Planned, draws
from pedbench.types import SURE, Mask, Picture, Reading, View
from pedbench.validity.flags import offers

SLOW = 0.25
"""Seconds a guess from which views are shared out one by one: a call costs some hundredths of a second."""

ViewKey = tuple[int, Held]
"""Place of a picture among those attacked, and who listened to how many requests."""


@dataclass(kw_only=True)
class Guessed:
    """Guesses that attacks made of some receptions.

    Attributes:
        pictures: By attack, or by `again` of it, and view; a view that offers an attack nothing has no guess.
        readings: By read-out attack and view, of the first draw.
        failures: By attack; it then has no guess at all.
        uploaded: By hosted attack and view, the host that got what the view shows, now or in an earlier run.
    """

    pictures: dict[str, StoredPictures[ViewKey]] = field(default_factory=dict)
    readings: dict[str, dict[ViewKey, Reading]] = field(default_factory=dict)
    failures: dict[str, AttackFailure] = field(default_factory=dict)
    uploaded: dict[str, dict[ViewKey, str]] = field(default_factory=dict)

    def of(self, label: str) -> Mapping[ViewKey, Picture]:
        """Return the guesses filed under a name."""
        return self.pictures.get(label, {})

    def add(self, label: str, pictures: Iterable[tuple[ViewKey, Picture]]) -> None:
        """File guesses under a name."""
        self.pictures.setdefault(label, StoredPictures()).update(pictures)


_AGAIN = " again, "


def again(label: str, draw: int) -> str:
    """Return what a guess is filed under, the first being draw 0."""
    return f"{label}{_AGAIN}{draw}" if draw else label


def first_draw(name: str) -> tuple[str, int]:
    """Return the attack and the draw of what `again` returned."""
    label, _, draw = name.partition(_AGAIN)
    return label, int(draw or 0)


def view_keys(attacked: Sequence[Reception], cells: Iterable[Cell]) -> set[ViewKey]:
    """Return the views that cells are about."""
    asked = {(cell.coalition, cell.scouts is None, cell.requests or 1): cell for cell in cells}
    return {
        (place, (cell.requests or 1, subset))
        for place, item in enumerate(attacked)
        for cell in asked.values()
        for subset in item.coalitions_of(cell)
    }


def guess_views(
    bench: Bench,
    attacked: Sequence[Reception],
    wanted: Mapping[str, tuple[Planned, Collection[ViewKey]]],
    guessed: Guessed,
    outcome: Outcome,
    stage: Stage,
    *,
    decoys: bool = False,
) -> None:
    """Let attacks guess from views that hold something they can use.

    No call holds two views of one picture, as an attack could put them together.

    Args:
        wanted: By label an attack or a chain, and the views that it is to guess from, unless it has.
        decoys: Whether the views hold nothing of the pictures.
        guessed: Gets the guesses, readings and failures; holds those of the read-outs of chains.
    """
    jobs: dict[Future[Guesses], tuple[str, list[ViewKey]]] = {}
    asked: list[tuple[str, Planned, dict[ViewKey, View]]] = []
    for label, (planned, keys) in wanted.items():
        guessed.add(label, ())
        if planned.read_out is not None and planned.read_out.label in guessed.failures:
            guessed.failures[label] = guessed.failures[planned.read_out.label]
            continue
        views = _views(bench, attacked, planned, sorted(keys), guessed)
        try:
            parts = [part for together in _rounds(views) for part in _parts(bench, planned, together)]
        # The attack's own code says whether it takes views in batches.
        except AttackFailure as failure:
            guessed.failures[label] = failure
            continue
        for together, draw in product(parts, range(draws(planned.plugin, bench.plan.suite))):
            asked.append((again(label, draw), planned, {key: views[key] for key in together}))
    # The longest first, and before them what nobody has seen work: so no worker waits long for another's last job.
    # Behind them all hosted ones, as the others then work while services are asked.
    asked.sort(
        key=lambda job: (
            job[1].plugin.hosted is not None,
            -len(job[2]) * bench.paces.get(job[1].label, inf),
        )
    )
    for name, planned, views in asked:
        guessed.add(name, ())
        if planned.plugin.hosted is not None:
            if planned.label in guessed.failures:
                continue
            try:
                views = painted(bench, planned, views, guessed.uploaded.setdefault(planned.label, {}))
            except AttackFailure as failure:
                guessed.failures[planned.label] = failure
                continue
        seeds = [
            seed_of(bench, planned, item, name, None if decoys else item.footprint[key[1]])
            for key in views
            for item in [attacked[key[0]]]
        ]
        # Serialised only when the job begins: hundreds of jobs wait.
        data = map(view_to_bytes, views.values())
        jobs[bench.pool.submit(planned.spec, data, seeds)] = name, list(views)
    # Filed as they come, and then forgotten: a job that is done holds its guesses in memory.
    for job in as_completed(jobs):
        if job.exception() is None:
            _file(bench, *jobs.pop(job), job.result(), guessed, outcome, stage)
    for job, (name, _) in jobs.items():
        try:
            job.result()
        except AttackFailure as failure:
            guessed.failures.setdefault(first_draw(name)[0], failure)
    for name in guessed.pictures:
        if first_draw(name)[0] in guessed.failures:
            guessed.pictures[name].clear()


def _file(
    bench: Bench,
    name: str,
    together: Sequence[ViewKey],
    answer: Guesses,
    guessed: Guessed,
    outcome: Outcome,
    stage: Stage,
) -> None:
    label, draw = first_draw(name)
    guessed.add(name, zip(together, answer.pictures, strict=True))
    if answer.confidences and not draw:
        readings = guessed.readings.setdefault(label, {})
        for key, picture, confidence in zip(together, answer.pictures, answer.confidences, strict=True):
            readings[key] = Reading(picture=picture, confidence=confidence)
    outcome.guesses[label] += [answer.seconds / len(together)] * len(together)
    stage.parts.append((label, answer.seconds))
    bench.paces[label] = answer.seconds / len(together)


def _views(
    bench: Bench, attacked: Sequence[Reception], planned: Planned, keys: Sequence[ViewKey], guessed: Guessed
) -> dict[ViewKey, View]:
    """Select the views that offer an attack something; those of a chain hold the reading and lack some of the frame."""
    views = {}
    for key in keys:
        view = attacked[key[0]].views[key[1]]
        if not guesses_it(bench, planned, attacked[key[0]]) or not planned.needs & offers(view):
            continue
        if key in guessed.of(planned.label):
            continue
        if planned.read_out is not None:
            reading = guessed.readings.get(planned.read_out.label, {}).get(key)
            if reading is None or not _completable(reading, view):
                continue
            view = replace(view, reading=reading)
        views[key] = view
    return views


def _completable(reading: Reading, view: View) -> bool:
    """Return whether a reading adds to what is received and leaves something to complete."""
    sure = reading.confidence >= SURE
    _, exact = view.canvas()
    return bool((sure & ~exact).any()) and not bool((sure | exact).all())


def _rounds(keys: Iterable[ViewKey]) -> list[list[ViewKey]]:
    rounds: list[list[ViewKey]] = []
    for key in keys:
        free = next((each for each in rounds if key[0] not in {place for place, _ in each}), None)
        if free is None:
            rounds.append(free := [])
        free.append(key)
    return rounds


def _parts(bench: Bench, planned: Planned, together: Sequence[ViewKey]) -> list[Sequence[ViewKey]]:
    """Return a round as it is, or view by view where an attack takes them one by one and is known to take long.

    On an accelerator an attack has to get ready anew for each part, which takes longer than it gains.
    """
    quick = bench.paces.get(planned.label, 0.0) < SLOW
    if bench.device != "cpu" or planned.plugin.batches(bench.device) or quick:
        return [together]
    return [[key] for key in together]


def guesses_it(bench: Bench, planned: Planned, item: Reception) -> bool:
    """Return whether a picture is among the first ones that an attack is limited to."""
    return planned.limit is None or item.sample.id in bench.plan.dataset.ids()[: planned.limit]


def seed_of(bench: Bench, planned: Planned, item: Reception, name: str, footprint: Mask | None = None) -> int:
    """Return the seed of a guess; without `footprint`, for empty views and decoys, that of the picture's empty view.

    Chance is then no difference between what an attack makes of decoys and of nothing.
    """
    if not planned.plugin.stochastic:
        return 0
    pixels = b"" if footprint is None else np.packbits(footprint).tobytes()
    return guess_seed(bench.plan.suite.seed, item.frame.tobytes(), pixels, name)
