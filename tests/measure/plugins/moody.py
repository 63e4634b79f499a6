"""A metric that goes wrong on black guesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pedbench.base import Metric
from pedbench.types import Mask, Picture


@dataclass(kw_only=True)
class Moody(Metric):
    """Mean absolute error; NaN, or an exception, for a guess that is black all over.

    Attributes:
        raises: Whether to raise.
    """

    name = "moody"
    version = 1
    better = "higher"
    bounds = (0.0, 1.0)
    exact = 0.0

    raises: bool = False

    @property
    def column(self) -> str:
        return "MAE"

    def __call__(
        self, guess: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
    ) -> list[dict[str, float]]:
        return [self._one(picture, truth, regions) for picture in guess]

    def _one(self, picture: Picture, truth: Picture, regions: Mapping[str, Mask]) -> dict[str, float]:
        if not picture.any():
            if self.raises:
                raise ZeroDivisionError("no light")
            return {name: float("nan") for name, mask in regions.items() if mask.any()}
        error = abs(picture - truth).mean(axis=2)
        return {name: float(error[mask].mean()) for name, mask in regions.items() if mask.any()}
