"""The trusted side of privacy: what a guess is worth, given the truth.

Rows are (attack, region, metric, value). Metrics are the raw ones, "leakage[X]" and "advantage[X]", where X
is the column of a metric that has a distance (a metric without one, such as PSNR, stands alone).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pedbench.base import Metric
from pedbench.types import Mask, Picture

Key = TypeVar("Key", str, tuple[str, str])

Measured = Mapping[str, Mapping[str, float]]
"""Attack -> region -> value of one metric."""

KNOW_NOTHING = "know_nothing_"
"""Begins the names of what a colour scores that was drawn for an attack: the worst of many attacks is compared
with the worst of as many such draws."""


class Score(NamedTuple):
    """One value of one attack on one view."""

    attack: str
    region: str
    metric: str
    value: float


def score_blind(truth: Picture, floors: Mapping[str, Picture], metrics: Sequence[Metric]) -> dict[str, float]:
    """How near the best floor comes to a picture of which it received nothing; once per picture.

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
    nothing = np.zeros(truth.shape[:2], np.bool_)
    best = {}
    for metric in metrics:
        if metric.exact is not None:
            found = _measure(metric, truth, nothing, floors, {"whole": ~nothing})
            distances = _distances(metric, found, "whole")
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
    blind_guesses: Mapping[str, Picture] | None = None,
    pasting: Picture | None = None,
    draws: Mapping[str, Measured] | None = None,
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
        blind_guesses: Attack -> guess of the empty view, for "blind_advantage[X]": the advantage that the
            same attack would have had without the view. Controls need it.
        pasting: (H, W, 3) that holds one colour, for "gain_over_pasting[X]": how much better than that colour
            an attack fills the hidden part.
        draws: Column -> attack -> region -> value of the colour that was drawn for the attack, from
            `measure_constants`, for "know_nothing_leakage[X]" and "know_nothing_advantage[X]".

    Returns:
        Rows; a region that is empty (or too small for a metric) has none.

    Raises:
        ValueError: A guess or the mask of another size than the truth.
    """
    _check_size("visible mask", visible.shape, truth)
    regions = {"hidden": ~visible, "whole": np.ones_like(visible)}
    pictures = {("guess", attack): guess for attack, guess in guesses.items()}
    pictures |= {("blind", attack): guess for attack, guess in (blind_guesses or {}).items()}
    if pasting is not None:
        pictures["pasting", ""] = pasting
    rows = []
    for metric in metrics:
        column = metric.column
        # All in one go: pictures that are alike are measured once, and so are the truth's features.
        apart = _measure(metric, truth, visible, pictures, regions)
        measured, unseeing, plain = (
            {attack: found for (of, attack), found in apart.items() if of == kind}
            for kind in ("guess", "blind", "pasting")
        )
        for attack, found in measured.items():
            rows += [Score(attack, region, column, value) for region, value in found.items()]
        whole = _distances(metric, measured, "whole")
        rows += _relative(f"leakage[{column}]", "whole", whole, blind.get(column, 0.0))
        hidden = _distances(metric, measured, "hidden")
        # numpy's minimum, as Python's may lose a NaN.
        best = float(np.min([hidden[attack] for attack in hidden if attack in floors] or [0.0]))
        rows += _relative(f"advantage[{column}]", "hidden", hidden, best)
        rows += _relative(
            f"blind_advantage[{column}]", "hidden", _distances(metric, unseeing, "hidden"), best
        )
        if pasting is not None:
            one_colour = _distances(metric, plain, "hidden").get("", 0.0)
            rows += _relative(f"gain_over_pasting[{column}]", "hidden", hidden, one_colour)
        if draws:
            drawn = draws.get(column, {})
            for name, region, reference in (
                ("leakage", "whole", blind.get(column, 0.0)),
                ("advantage", "hidden", best),
            ):
                distances = _distances(metric, drawn, region)
                rows += _relative(f"{KNOW_NOTHING}{name}[{column}]", region, distances, reference)
    return rows


def better_directions(metrics: Iterable[Metric]) -> dict[str, Literal["higher", "lower"]]:
    """For every metric name that `score` gives, which direction means more privacy."""
    directions: dict[str, Literal["higher", "lower"]] = {}
    for metric in metrics:
        directions[metric.column] = metric.better
        if metric.exact is not None:
            knowing = ("leakage", "advantage", "blind_advantage", "gain_over_pasting")
            for derived in (*knowing, f"{KNOW_NOTHING}leakage", f"{KNOW_NOTHING}advantage"):
                directions[f"{derived}[{metric.column}]"] = "lower"
    return directions


def measure_constants(
    truth: Picture, visible: Mask, colours: Mapping[str, npt.ArrayLike], metric: Metric
) -> Measured:
    """Score pictures of one colour each as guesses, visible pixels pasted over them.

    Args:
        colours: Attack -> (3,), the colour that stands beside its guess.

    Returns:
        Attack -> region -> value.
    """
    guesses = {
        attack: np.broadcast_to(np.asarray(colour, np.float32), truth.shape)
        for attack, colour in colours.items()
    }
    regions = {"hidden": ~visible, "whole": np.ones_like(visible)}
    return _measure(metric, truth, visible, guesses, regions) if guesses else {}


def one_colour(truth: Picture, visible: Mask, otherwise: npt.ArrayLike) -> Picture:
    """The plainest filling: the mean colour of what is visible, everywhere.

    Args:
        otherwise: (3,), the colour where nothing is visible.
    """
    colour = truth[visible].mean(axis=0, dtype=np.float64) if visible.any() else otherwise
    return np.broadcast_to(np.asarray(colour, np.float32), truth.shape)


def _measure(
    metric: Metric, truth: Picture, visible: Mask, guesses: Mapping[Key, Picture], regions: Mapping[str, Mask]
) -> dict[Key, dict[str, float]]:
    """Values per guess and region. Guesses that are alike once pasted are measured once."""
    for attack, guess in guesses.items():
        what = attack if isinstance(attack, str) else attack[1]
        _check_size(f"guess of {what}", guess.shape[:2], truth)
    pasted = {attack: np.where(visible[..., None], truth, guess) for attack, guess in guesses.items()}
    contents = {attack: picture.tobytes() for attack, picture in pasted.items()}
    different = {content: pasted[attack] for attack, content in contents.items()}
    found = dict(zip(different, metric(list(different.values()), truth, regions), strict=True))
    return {attack: found[content] for attack, content in contents.items()}


def _distances(metric: Metric, measured: Measured, region: str) -> dict[str, float]:
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
