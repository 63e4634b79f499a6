"""Each rule of metrics catches the metric that breaks it, and those in the tree keep them all."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from pedbench.base import Metric
from pedbench.checks.metrics import check_metric
from pedbench.registry import Registry
from pedbench.types import Mask, Picture


@dataclass(kw_only=True)
class MeanError(Metric):
    """Mean absolute error, or one that breaks a rule."""

    name = "mean_error"
    version = 1
    column = "mean error"
    better = "higher"
    bounds = (0.0, 1.0)
    exact = 0.0
    how: str = ""
    _calls: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def __call__(
        self, guess: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
    ) -> list[dict[str, float]]:
        if self.how == "writes":
            guess[0][:] = truth
            guess[-1][0] = 0
        if self.how == "none":
            return None  # type: ignore[return-value]
        found = [self._values(picture, truth, regions, place) for place, picture in enumerate(guess)]
        if self.how == "short":
            return found[:-1]
        if self.how == "gaps":
            del found[-1]["hidden"]
        return found

    def _values(
        self, guess: Picture, truth: Picture, regions: Mapping[str, Mask], place: int
    ) -> dict[str, float]:
        self._calls.append(place)
        errors = np.abs(guess - truth).mean(axis=2)
        values = {name: float(errors[mask].mean()) for name, mask in regions.items() if mask.any()}
        changed = {
            "empty": {"nothing": 0.0},
            "invents": {"border": 0.0},
            "numpy": {"whole": errors.mean()},
            "nan": {"whole": float("nan")},
            "percent": {"whole": values["whole"] * 100},
            "similarity": {"whole": 1 - values["whole"]},
            "shifted": {"whole": values["whole"] / 2 + 0.1},
            "lucky": {"whole": values["whole"] + random.random() / 10},
            "remembers": {"whole": values["whole"] + len(self._calls) / 1000},
            "ranks": {"whole": values["whole"] + place / 100},
        }
        return values | changed.get(self.how, {})


BROKEN = {
    "none": ("values for a square picture", "expected a list of 4, one of each guess, found NoneType"),
    "short": ("values for a wide picture", "expected a list of 4, one of each guess, found 3"),
    "gaps": ("values for a tall picture", "guesses of one picture have values for"),
    "empty": ("values for a tiny picture", "an empty region has no value, found 0.0"),
    "invents": ("values for a constant picture", "a value for 'border', which is no region"),
    "numpy": ("values for a very thin picture", "expected a finite float, found np.float32"),
    "nan": ("values for a square picture", "expected a finite float, found nan"),
    "percent": ("values for a square picture", "lies outside of the bounds (0.0, 1.0)"),
    "similarity": ("an exact copy is the least private", "`better` is 'higher', but a guess that is no copy"),
    "shifted": ("an exact copy has the value 0", "`exact` is 0.0, found 0.1"),
    "lucky": ("the same values twice", "gave two different values"),
    "remembers": ("the same values twice", "gave two different values"),
    "ranks": ("batches change nothing", "in a batch"),
    "writes": ("pictures and regions are left as they are", "wrote into what it was given"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_metric_is_told_so(how: str) -> None:
    rule, why = BROKEN[how]
    problems = {found.rule: found.problem for found in check_metric(MeanError(how=how)) if found.problem}
    assert why in problems[rule], problems


def test_declarations_are_checked() -> None:
    class Upside(MeanError):
        better = "up"  # type: ignore[assignment]

    class Empty(MeanError):
        bounds = (1.0, 0.0)

    class Beyond(MeanError):
        exact = 2.0

    class Nameless(MeanError):
        column = ""

    found = [next(iter(check_metric(kind()))).problem for kind in (Upside, Empty, Beyond, Nameless)]
    assert found == [
        '`better` is "higher" or "lower", found \'up\'',
        "`bounds` are the smallest and the largest value, found (1.0, 0.0)",
        "`exact` lies within the bounds (0.0, 1.0), found 2.0",
        "`column` is the name in tables, found ''",
    ]


@pytest.mark.parametrize("name", Registry().origins("metrics"))
def test_metrics_in_the_tree_keep_the_rules(name: str) -> None:
    found = list(check_metric(Registry().create("metrics", name, {})))
    assert not [each for each in found if each.problem or each.skipped]


def test_a_metric_that_keeps_the_rules_hears_nothing() -> None:
    assert not [found for found in check_metric(MeanError()) if found.problem or found.skipped]
