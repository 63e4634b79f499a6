"""Metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pedbench.base.plugin import Plugin
from pedbench.types import Mask, Picture


@dataclass(kw_only=True)
class Metric(Plugin, ABC):
    """A distance or similarity between guesses and truths over a region.

    Attributes:
        better: From the defender's side: "higher" or "lower" values mean more privacy.
        unit: "" for dimensionless.
        bounds: Smallest and largest possible value.
        exact: The value of an exact copy, from which a distance is measured; None where ratios of
            distances mean nothing (decibels).
    """

    axis: ClassVar[Literal["utility", "privacy", "latency"]] = "privacy"
    better: ClassVar[Literal["higher", "lower"]]
    unit: ClassVar[str] = ""
    bounds: ClassVar[tuple[float, float]]
    exact: ClassVar[float | None] = None

    @property
    @abstractmethod
    def column(self) -> str:
        """The metric's name in tables, e.g. "SSIM" or "LPIPS-alex"."""

    @abstractmethod
    def __call__(
        self, guess: Sequence[Picture], truth: Picture, regions: Mapping[str, Mask]
    ) -> list[dict[str, float]]:
        """Score N guesses of one truth.

        Args:
            guess: N pictures (H, W, 3).
            truth: (H, W, 3).
            regions: Named (H, W) masks, e.g. hidden, visible, whole.

        Returns:
            For each guess the value per region; a region that is empty (or too small) is absent.
        """
