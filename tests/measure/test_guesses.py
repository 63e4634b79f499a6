"""Views that wait for attacks, and guesses that are filed, take little memory."""

import weakref
from collections.abc import Iterable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import numpy as np

from pedbench.adversary.isolation.answers import Guesses
from pedbench.adversary.isolation.facts import describe
from pedbench.adversary.prior import load_prior
from pedbench.host.stopwatch import Profile
from pedbench.measure.guesses import Guessed, guess_views
from pedbench.measure.outcome import Outcome
from pedbench.measure.views import Reception
from pedbench.registry import Registry
from pedbench.suites.plan import Planned
from pedbench.types import Picture, View

COALITIONS: list[tuple[int, ...]] = [(server,) for server in range(5)]


class AnsweringAtOnce:
    """Answers each job when it is submitted, and notes what is still held when the next answer is fetched."""

    def __init__(self) -> None:
        self.answers: list[weakref.ref[Picture]] = []
        self.unfreed: list[int] = []
        self.submitted: list[Iterable[bytes]] = []

    def submit(self, _spec: object, views: Iterable[bytes], _seeds: object) -> Future[Guesses]:
        picture = np.full((8, 8, 3), len(self.answers) / 10, np.float32)
        self.answers.append(weakref.ref(picture))
        self.submitted.append(views)
        pool = self

        class Noted(Future[Guesses]):
            def result(self, timeout: float | None = None) -> Guesses:
                pool.unfreed.append(sum(answer() is not None for answer in pool.answers))
                return super().result(timeout)

        job = Noted()
        job.set_result(Guesses(pictures=(picture,), seconds=0.1))
        return job


def test_neither_waiting_views_nor_filed_guesses_are_held() -> None:
    spec = Registry().spec("attacks", "mean_colour", {})
    planned = Planned(plugin=describe(spec), spec=spec)
    frame = np.zeros((8, 8, 3), np.float32)
    views = {(1, subset): View(frame_size=(8, 8), prior=load_prior()) for subset in COALITIONS}
    whole = np.ones((8, 8), np.bool_)
    item = Reception(
        sample=SimpleNamespace(id="1"),  # type: ignore[arg-type]
        frame=frame,
        views=views,
        visible=dict.fromkeys(views, whole),
        footprint=dict.fromkeys(views, whole),
        subsets={},
    )
    pool, guessed, profile = AnsweringAtOnce(), Guessed(), Profile()
    suite = SimpleNamespace(seed=0, seeds=1)
    bench: Any = SimpleNamespace(pool=pool, paces={}, device="cpu", plan=SimpleNamespace(suite=suite))
    with profile.stage("attacks") as stage:
        guessing = {"mean_colour": (planned, [(0, key) for key in views])}
        guess_views(bench, [item], guessing, guessed, Outcome(), stage)
    assert pool.unfreed == [5, 4, 3, 2, 1]
    assert not any(isinstance(views, list | tuple) for views in pool.submitted), "serialised before its turn"
    for place, key in enumerate(views):
        np.testing.assert_array_equal(
            guessed.of("mean_colour")[0, key], np.full((8, 8, 3), place / 10, np.float32)
        )
