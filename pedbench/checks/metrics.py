"""Rules of metrics, checked on synthetic pictures and guesses of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from pedbench.base import Metric
from pedbench.checks.rule import BrokenRule, Outcome, expect_unchanged, outcome
from pedbench.checks.samples import made_up_picture, seed_globals
from pedbench.privacy.scoring import check_values
from pedbench.types import Mask, Picture

SIZES = {"square": (64, 64), "wide": (40, 96), "tall": (96, 40), "tiny": (8, 8), "very thin": (320, 3)}
"""(H, W) of the pictures in pixels."""

_TOLERANCE = 1e-5
"""Tolerance of a value; for values above 1 in a batch, relative to the value."""


@dataclass(frozen=True, kw_only=True)
class _Task:
    """A picture, its guesses from an exact copy to noise, and named regions, of which "nothing" is empty."""

    truth: Picture
    guesses: list[Picture]
    regions: Mapping[str, Mask]


def check_metric(metric: Metric) -> Iterator[Outcome]:
    """Check a metric on pictures of several shapes and on guesses of several qualities."""
    yield outcome("declared direction and bounds", lambda: _check_declared(metric))
    prepared = outcome("preparation", lambda: metric.prepare("cpu"))
    yield prepared
    if prepared.skipped:
        return
    rng = np.random.default_rng(0)
    tasks = {f"a {name} picture": _task(made_up_picture(rng, size)) for name, size in SIZES.items()}
    tasks["a constant picture"] = _task(np.full((64, 64, 3), 51 / 255, np.float32))
    for name, task in tasks.items():
        yield outcome(f"values for {name}", partial(_check_values, metric, task))
    wide = tasks["a wide picture"]
    yield outcome("an exact copy is the least private", lambda: _check_direction(metric, wide))
    if metric.exact is not None:
        yield outcome(f"an exact copy has the value {metric.exact:g}", lambda: _check_exact(metric, wide))
    yield outcome("values are deterministic", lambda: _check_determinism(metric, wide))
    yield outcome("values do not depend on the batch", lambda: _check_batch(metric, wide))
    arrays = [wide.truth, *wide.guesses, *wide.regions.values()]
    yield outcome(
        "pictures and regions stay unchanged", lambda: expect_unchanged(arrays, lambda: _values(metric, wide))
    )


def _task(truth: Picture) -> _Task:
    rng = np.random.default_rng(1)
    near = np.clip(truth + rng.normal(0, 0.05, truth.shape), 0, 1).astype(np.float32)
    flat = np.broadcast_to(truth.mean(axis=(0, 1)), truth.shape).astype(np.float32)
    noise = rng.random(truth.shape, dtype=np.float32)
    whole = np.ones(truth.shape[:2], np.bool_)
    hidden = whole.copy()
    hidden[: truth.shape[0] // 2, : truth.shape[1] // 2] = False
    corner = np.zeros_like(whole)
    corner[:2, :2] = True
    regions = {"whole": whole, "hidden": hidden, "corner": corner, "nothing": ~whole}
    return _Task(truth=truth, guesses=[truth.copy(), near, flat, noise], regions=regions)


def _values(metric: Metric, task: _Task, guesses: list[Picture] | None = None) -> list[dict[str, float]]:
    pictures = task.guesses if guesses is None else guesses
    found = metric(pictures, task.truth, task.regions)
    try:
        check_values(found, len(pictures))
    except ValueError as error:
        raise BrokenRule(str(error)) from None
    return found


def _check_declared(metric: Metric) -> None:
    if metric.better not in ("higher", "lower"):
        raise BrokenRule(f'`better` is "higher" or "lower", found {metric.better!r}')
    low, high = metric.bounds
    if not low < high:
        raise BrokenRule(f"`bounds` are the smallest and the largest value, found {metric.bounds}")
    if metric.exact is not None and not low <= metric.exact <= high:
        raise BrokenRule(f"`exact` lies within the bounds {metric.bounds}, found {metric.exact}")
    if not (isinstance(metric.column, str) and metric.column):
        raise BrokenRule(f"`column` is the name in tables, found {metric.column!r}")


def _check_values(metric: Metric, task: _Task) -> None:
    found = _values(metric, task)
    low, high = metric.bounds
    for values in found:
        unknown = sorted(set(values) - set(task.regions))
        if unknown:
            raise BrokenRule(f"found a value for {unknown[0]!r}, which is none of the regions")
        if "nothing" in values:
            raise BrokenRule(f"an empty region has no value, found {values['nothing']}")
        for region, value in values.items():
            if not isinstance(value, float) or not np.isfinite(value):
                raise BrokenRule(f"region {region}: expected a finite float, found {value!r}")
            if not low - _TOLERANCE <= value <= high + _TOLERANCE:
                raise BrokenRule(f"region {region}: {value:.6g} lies outside the bounds {metric.bounds}")
        if set(values) != set(found[0]):
            raise BrokenRule(
                f"guesses of one picture have values for {sorted(found[0])} and {sorted(values)}"
            )


def _whole(metric: Metric, task: _Task) -> list[float]:
    found = [values.get("whole") for values in _values(metric, task)]
    known = [value for value in found if value is not None]
    if len(known) != len(found):
        raise BrokenRule(f"no value over a whole picture of {task.truth.shape[:2]}")
    return known


def _check_direction(metric: Metric, task: _Task) -> None:
    copy, *others = _whole(metric, task)
    private = min(others) if metric.better == "higher" else max(others)
    if private == copy or (private > copy) != (metric.better == "higher"):
        raise BrokenRule(
            f"`better` is {metric.better!r}, but the most private guess has {private:.6g} and an exact copy {copy:.6g}"
        )


def _check_exact(metric: Metric, task: _Task) -> None:
    copy = _whole(metric, task)[0]
    if metric.exact is None or abs(copy - metric.exact) > _TOLERANCE:
        raise BrokenRule(f"`exact` is {metric.exact}, but a copy has {copy:.6g}: leakage is computed from it")


def _check_determinism(metric: Metric, task: _Task) -> None:
    found = []
    for seed in (1, 2):
        seed_globals(seed)
        found.append(_values(metric, task))
        _values(metric, _task(task.truth[::-1].copy()))
    # Compared as text, as NaN differs from itself and has a rule of its own.
    if repr(found[0]) != repr(found[1]):
        raise BrokenRule("the same guesses got two different values")


def _check_batch(metric: Metric, task: _Task) -> None:
    for batched, guess in zip(_values(metric, task), task.guesses, strict=True):
        alone = _values(metric, task, [guess])[0]
        for region, value in batched.items():
            difference = abs(alone.get(region, np.inf) - value)
            if difference > _TOLERANCE * max(1, abs(value)):
                raise BrokenRule(f"region {region}: {value:.6g} in a batch, {alone.get(region)} alone")
