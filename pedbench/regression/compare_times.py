"""Times, which no two runs have alike: only as a ratio to another defense of the same run, and only coarsely."""

from __future__ import annotations

from collections.abc import Iterator

from pedbench.regression.verdicts import Line, Verdict
from pedbench.results.records import MetricValue, Record
from pedbench.results.run import Run

REFERENCE = "full_offload"
"""Its time is what others are divided by."""

FACTOR = 3.0
"""Factor by which a ratio has to grow or shrink to count as changed."""

SAMPLES = 20
"""Timed pictures on both sides below which a ratio is told, not judged."""

_TOTAL = "end to end"


def compare_times(base: Run, new: Run, one: Record, other: Record) -> Iterator[Line]:
    """Compare the median time of a latency cell over that of full offloading, by way of measuring.

    Args:
        one: Of `base`.
        other: The same cell in `new`.
    """
    for metric in one.metrics:
        if not metric.name.endswith(" p50") or metric.region != _TOTAL:
            continue
        before, after = _ratio(base, one, metric.name), _ratio(new, other, metric.name)
        if before is None or after is None or one.cell["defense"]["name"] == REFERENCE:
            continue
        apart, n = after[0] / before[0], min(before[1], after[1])
        verdict: Verdict = "same"
        if n < SAMPLES:
            verdict = "not judged"
        elif not 1 / FACTOR <= apart <= FACTOR:
            verdict = "worse" if apart > 1 else "better"
        yield Line(
            cell_id=one.cell_id,
            verdict=verdict,
            metric=f"{metric.name} / that of {REFERENCE}",
            region=_TOTAL,
            better="lower",
            base=before[0],
            new=after[0],
            difference=apart,
            n=n,
            tolerance=FACTOR,
            note="difference and tolerance are factors",
        )


def _ratio(run: Run, record: Record, name: str) -> tuple[float, int] | None:
    """Return a median over the reference's over the same link, and behind how many pictures it stands at least."""
    own = _total(record, name)
    for each in run.of_kind("latency"):
        if each.cell["defense"]["name"] == REFERENCE and each.cell.get("link") == record.cell.get("link"):
            reference = _total(each, name)
            if own and reference and reference.value > 0:
                return own.value / reference.value, min(own.n, reference.n)
    return None


def _total(record: Record, name: str) -> MetricValue | None:
    return next((m for m in record.metrics if (m.name, m.region) == (name, _TOTAL)), None)
