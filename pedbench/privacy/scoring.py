"""The trusted side of privacy: what a guess is worth, given the truth.

Rows are (attack, region, metric, value). Metrics are the raw ones, "leakage[X]" and "advantage[X]", where X
is the column of a metric that has a distance (a metric without one, such as PSNR, stands alone).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pedbench.base import Metric
from pedbench.types import Mask, Picture

Measured = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Column of a metric -> guess -> region -> value."""

Around = Callable[[Metric], AbstractContextManager[object]]
"""A context around the calls of a metric, to time them or to name it where it fails."""

SPARSE = 16
"""Every so many rows and columns a pixel is looked at before two pictures are compared."""

KNOW_NOTHING = "know_nothing_"
"""Begins the names of what a colour scores that was drawn for an attack: the worst of many attacks is compared
with the worst of as many such draws."""


class Score(NamedTuple):
    """One value of one attack on one view."""

    attack: str
    region: str
    metric: str
    value: float


def measure(
    truth: Picture,
    visible: Mask,
    guesses: Mapping[str, Picture],
    metrics: Sequence[Metric],
    around: Around = nullcontext,
) -> Measured:
    """Measure guesses of one view, hidden and whole, with the visible pixels pasted over each.

    Guesses that are alike once pasted are measured once, and all in one go, so that a metric computes the truth's
    features once.

    Args:
        truth: (H, W, 3), the frame.
        visible: (H, W) bool, pixels that were received exactly at their place.
        guesses: (H, W, 3) each.

    Raises:
        ValueError: A guess or the mask of another size than the truth.
    """
    _check_size("visible mask", visible.shape, truth)
    for name, guess in guesses.items():
        _check_size(f"guess of {name}", guess.shape[:2], truth)
    if not guesses:
        return {metric.column: {} for metric in metrics}
    regions = {"hidden": ~visible, "whole": np.ones_like(visible)}
    pasted = {name: np.where(visible[..., None], truth, guess) for name, guess in guesses.items()}
    different, places = _apart(pasted)
    measured = {}
    for metric in metrics:
        with around(metric):
            found = metric(different, truth, regions)
            check_values(found, len(different))
        measured[metric.column] = {name: found[place] for name, place in places.items()}
    return measured


def check_values(found: object, pictures: int) -> None:
    """Raise ValueError unless a metric returned a list with the values by region of so many pictures."""
    expected = f"expected a list of {pictures}, one item per guess, found"
    if not isinstance(found, list):
        raise ValueError(f"{expected} {type(found).__name__}")
    if len(found) != pictures:
        raise ValueError(f"{expected} {len(found)}")
    for values in found:
        if not isinstance(values, Mapping):
            raise ValueError(
                f"{expected} a {type(values).__name__} in it: an item is a dictionary, region to value"
            )


def _apart(pictures: Mapping[str, Picture]) -> tuple[list[Picture], dict[str, int]]:
    """The pictures that differ, and by name which of them each is."""
    different: list[Picture] = []
    places: dict[str, int] = {}
    alike: dict[bytes, list[int]] = {}
    for name, picture in pictures.items():
        # Few pictures agree in these pixels and not in all, and hashing all takes as long as a metric.
        candidates = alike.setdefault(picture[::SPARSE, ::SPARSE].tobytes(), [])
        place = next((place for place in candidates if np.array_equal(different[place], picture)), None)
        if place is None:
            place = len(different)
            different.append(picture)
            candidates.append(place)
        places[name] = place
    return different, places


def score_blind(
    truth: Picture, floors: Mapping[str, Picture], metrics: Sequence[Metric], around: Around = nullcontext
) -> dict[str, float]:
    """Return the distance of the best floor to a picture of which it received nothing; once per picture.

    Args:
        truth: (H, W, 3), the frame.
        floors: Floor -> its guess (H, W, 3) of the empty view.

    Returns:
        Column -> smallest distance over the whole frame, for metrics that have one.

    Raises:
        ValueError: No floor, or a guess of another size.
    """
    if not floors:
        raise ValueError("leakage needs the blind guess of at least one floor")
    far = [metric for metric in metrics if metric.exact is not None]
    measured = measure(truth, np.zeros(truth.shape[:2], np.bool_), floors, far, around)
    best = {}
    for metric in far:
        distances = _distances(metric, measured[metric.column], "whole")
        if distances:
            best[metric.column] = float(np.min([*distances.values()]))
    return best


def score(
    truth: Picture,
    visible: Mask,
    guesses: Mapping[str, Picture],
    blind: Mapping[str, float],
    floors: Collection[str],
    metrics: Sequence[Metric],
    *,
    unseeing: Measured | None = None,
    pasting: Picture | None = None,
    draws: Measured | None = None,
    around: Around = nullcontext,
) -> list[Score]:
    """Score the guesses of one view.

    Visible pixels are pasted over every guess first. Regions are "hidden" and "whole". Leakage compares the
    whole picture with the best floor that received nothing; advantage the hidden part with the best floor
    that received the same. Both are 1 for an exact copy, unclipped, and absent where the floor is exact.

    Args:
        truth: (H, W, 3), the frame.
        visible: (H, W) bool, pixels that were received exactly at their place.
        guesses: Attack -> guess (H, W, 3), floors included.
        blind: The same picture's, from `score_blind`.
        floors: Which of the attacks are floors.
        unseeing: What the attacks' guesses of the empty view measure with the same visible pixels, by attack, for
            "blind_advantage[X]": the advantage that the same attack would have had without the view. Controls need it.
        pasting: (H, W, 3) that holds one colour, for "gain_over_pasting[X]": how much better than that colour
            an attack fills the hidden part.
        draws: Likewise the colours that were drawn for the attacks, for "know_nothing_leakage[X]" and
            "know_nothing_advantage[X]".

    Returns:
        Rows; a region that is empty (or too small for a metric) has none.

    Raises:
        ValueError: A guess or the mask of another size than the truth.
    """
    plain = {} if pasting is None else {_PASTING: pasting}
    measured = measure(truth, visible, {**guesses, **plain}, metrics, around)
    rows = []
    for metric in metrics:
        column = metric.column
        found = {attack: measured[column][attack] for attack in guesses}
        rows += [
            Score(attack, region, column, value)
            for attack, values in found.items()
            for region, value in values.items()
        ]
        whole = _distances(metric, found, "whole")
        rows += _relative(f"leakage[{column}]", "whole", whole, blind.get(column, 0.0))
        hidden = _distances(metric, found, "hidden")
        # numpy's minimum, as Python's may lose a NaN.
        best = float(np.min([hidden[attack] for attack in hidden if attack in floors] or [0.0]))
        rows += _relative(f"advantage[{column}]", "hidden", hidden, best)
        without = _distances(metric, (unseeing or {}).get(column, {}), "hidden")
        rows += _relative(f"blind_advantage[{column}]", "hidden", without, best)
        one_colour = _distances(metric, {name: measured[column][name] for name in plain}, "hidden")
        rows += _relative(f"gain_over_pasting[{column}]", "hidden", hidden, one_colour.get(_PASTING, 0.0))
        for name, region, reference in (
            ("leakage", "whole", blind.get(column, 0.0)),
            ("advantage", "hidden", best),
        ):
            distances = _distances(metric, (draws or {}).get(column, {}), region)
            rows += _relative(f"{KNOW_NOTHING}{name}[{column}]", region, distances, reference)
    return rows


_PASTING = ""
"""The name of the plainest filling among the guesses; that of an attack is longer."""


def one_colour(truth: Picture, visible: Mask, otherwise: npt.ArrayLike) -> Picture:
    """The plainest filling: the mean colour of what is visible, everywhere.

    Args:
        otherwise: (3,), the colour where nothing is visible.
    """
    colour = truth[visible].mean(axis=0, dtype=np.float64) if visible.any() else otherwise
    return np.broadcast_to(np.asarray(colour, np.float32), truth.shape)


def _distances(metric: Metric, measured: Mapping[str, Mapping[str, float]], region: str) -> dict[str, float]:
    """Attack -> distance from an exact copy over a region; none for a metric that has no distance."""
    if metric.exact is None:
        return {}
    return {
        attack: abs(found[region] - metric.exact) for attack, found in measured.items() if region in found
    }


def _relative(name: str, region: str, distances: Mapping[str, float], reference: float) -> list[Score]:
    if reference == 0:
        return []
    return [Score(attack, region, name, 1 - distance / reference) for attack, distance in distances.items()]


def _check_size(what: str, size: tuple[int, ...], truth: Picture) -> None:
    if tuple(size) != truth.shape[:2]:
        raise ValueError(f"{what}: expected the frame's size {truth.shape[:2]}, found {tuple(size)}")
