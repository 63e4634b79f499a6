"""Each rule of metrics detects a metric that breaks it, and the shipped metrics keep all rules."""

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
    """Mean absolute error; `fault` selects the rule that it breaks."""

    name = "mean_error"
    version = 1
    column = "mean error"
    better = "higher"
    bounds = (0.0, 1.0)
    exact = 0.0
    fault: str = ""
    _calls: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def __call__(
        self, guess: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
    ) -> list[dict[str, float]]:
        if self.fault == "writes":
            guess[0][:] = truth
            guess[-1][0] = 0
        if self.fault == "none":
            return None  # type: ignore[return-value]
        found = [self._values(picture, truth, regions, place) for place, picture in enumerate(guess)]
        if self.fault == "floats":
            return [values["whole"] for values in found]  # type: ignore[misc]
        if self.fault == "short":
            return found[:-1]
        if self.fault == "gaps":
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
        return values | changed.get(self.fault, {})


BROKEN = {
    "none": ("values for a square picture", "expected a list of 4, one item per guess, found NoneType"),
    "floats": ("values for a square picture", "found a float in it: an item is a dictionary"),
    "short": ("values for a wide picture", "expected a list of 4, one item per guess, found 3"),
    "gaps": ("values for a tall picture", "guesses of one picture have values for"),
    "empty": ("values for a tiny picture", "an empty region has no value, found 0.0"),
    "invents": ("values for a constant picture", "found a value for 'border', which is none of the regions"),
    "numpy": ("values for a very thin picture", "expected a finite float, found np.float32"),
    "nan": ("values for a square picture", "expected a finite float, found nan"),
    "percent": ("values for a square picture", "lies outside the bounds (0.0, 1.0)"),
    "similarity": ("an exact copy is the least private", "`better` is 'higher', but the most private guess"),
    "shifted": ("an exact copy has the value 0", "`exact` is 0.0, but a copy has 0.1"),
    "lucky": ("values are deterministic", "got two different values"),
    "remembers": ("values are deterministic", "got two different values"),
    "ranks": ("values do not depend on the batch", "in a batch"),
    "writes": ("pictures and regions stay unchanged", "wrote into its input"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_metric_is_detected(fault: str) -> None:
    rule, problem = BROKEN[fault]
    problems = {found.rule: found.problem for found in check_metric(MeanError(fault=fault)) if found.problem}
    assert fault != "nan" or "values are deterministic" not in problems
    assert problem in problems[rule], problems


def test_declarations_are_checked() -> None:
    class Upside(MeanError):
        better = "up"  # type: ignore[assignment]

    class Empty(MeanError):
        bounds = (1.0, 0.0)

    class OutOfBounds(MeanError):
        exact = 2.0

    class Nameless(MeanError):
        column = ""

    found = [next(iter(check_metric(kind()))).problem for kind in (Upside, Empty, OutOfBounds, Nameless)]
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


def test_a_metric_that_keeps_the_rules_has_no_problems() -> None:
    assert not [found for found in check_metric(MeanError()) if found.problem or found.skipped]
