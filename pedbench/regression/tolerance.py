"""Tolerances: by how much a number may differ without having changed, from repeats of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from pedbench.regression.judged_numbers import is_judged
from pedbench.results.records import MetricValue, Record

ROUNDING = 1e-5
"""Change of any number by threads, engines and batch sizes, relative to it or to 1."""

TIPPED = 1e-3
"""Change of a mean IoU by masks: a pixel next to the threshold tips over, and takes a small object along."""

MARGIN = 2.0
"""Factor on measured ranges: another machine is one more draw, and few draws do not show how far draws reach."""


class Kind(NamedTuple):
    """Numbers that share a tolerance: one metric and region, under all defenses, attacks and coalitions.

    What an ill-conditioned floor does under one defense in one run, it may do under another in the next; and
    advantages of all attacks relate to the floors.
    """

    axis: str
    metric: str
    region: str


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Largest range of a mean that was measured.

    Attributes:
        repeats: Between runs on one machine.
        levels: Between runs with different machines or CPU feature levels as well.
    """

    repeats: float
    levels: float


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """Measured tolerances; none at all where nothing was repeated."""

    measured: Mapping[Kind, Tolerance] = field(default_factory=dict)

    def allowed(self, metric: MetricValue) -> float:
        """Return the tolerance of a number: the larger range with its margin, never below rounding."""
        found = self.measured.get(kind(metric), Tolerance(repeats=0.0, levels=0.0))
        least = TIPPED if metric.axis == "utility" else ROUNDING * max(1.0, abs(metric.value))
        return max(MARGIN * found.repeats, MARGIN * found.levels, least)

    def to_json(self) -> list[dict[str, Any]]:
        return [{**each._asdict(), **asdict(found)} for each, found in sorted(self.measured.items())]

    @classmethod
    def from_json(cls, entries: Sequence[Mapping[str, Any]]) -> Tolerances:
        measured = {}
        for entry in entries:
            each = Kind(*(entry[name] for name in Kind._fields))
            measured[each] = Tolerance(repeats=entry["repeats"], levels=entry["levels"])
        return cls(measured=measured)


def kind(metric: MetricValue) -> Kind:
    """Return the kind of a number: those that share its tolerance."""
    return Kind(axis=metric.axis, metric=metric.name, region=metric.region)


def level(record: Record) -> str:
    """Return the machine and the CPU features that a record was measured with."""
    return f"{record.provenance.get('cpu', '')}, {record.provenance.get('cpu_capability', '')}"


def measure(runs: Sequence[Mapping[str, Record]]) -> Tolerances:
    """Return the tolerances that runs of one suite show.

    Args:
        runs: Records by cell id; the first is the one that becomes the baseline. All have the same cells.
    """
    found: dict[Kind, Tolerance] = {}
    for cell_id, record in runs[0].items():
        repeats = [run[cell_id] for run in runs]
        for metric in record.metrics:
            if not is_judged(record.cell, metric):
                continue
            numbers = [
                (level(each), value) for each in repeats if (value := _value(each, metric)) is not None
            ]
            alike = [value for machine, value in numbers if machine == level(record)]
            group = kind(metric)
            before = found.get(group, Tolerance(repeats=0.0, levels=0.0))
            found[group] = Tolerance(
                repeats=max(before.repeats, _range(alike)),
                levels=max(before.levels, _range([value for _, value in numbers])),
            )
    return Tolerances(measured=found)


def _value(record: Record, metric: MetricValue) -> float | None:
    for each in record.metrics:
        if (each.name, each.region) == (metric.name, metric.region):
            return each.value
    return None


def _range(numbers: Sequence[float]) -> float:
    return max(numbers) - min(numbers)
