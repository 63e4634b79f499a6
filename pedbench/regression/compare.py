"""A run against a baseline or another run, cell by cell and number by number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pedbench.regression.compare_numbers import compare_numbers
from pedbench.regression.matching import changes, check_comparable, counterparts
from pedbench.regression.measured import Measured
from pedbench.regression.verdicts import Line, Verdict
from pedbench.report.words.problems import measured_cell
from pedbench.results.records import MetricValue, Record
from pedbench.results.run import Run


def compare(base: Measured, new: Measured) -> list[Line]:
    """Compare all numbers, in the order of the baseline's suite; what is new comes last.

    Raises:
        ValueError: The two are about different things.
    """
    pairs = counterparts(base.run, new.run)
    check_comparable(base.run, new.run, pairs)
    # Cells that only one run has are named by what distinguishes them from those of the other.
    both = replace(base.run, records=(*base.run.records, *new.run.records))
    lines = []
    for record in base.run.records:
        for line in _cell(base, new, record, pairs[record.cell_id]):
            lines.append(_named(base.run if pairs[record.cell_id] else both, record, line))
    met = {other.cell_id for other in pairs.values() if other is not None}
    for record in new.run.records:
        if record.cell_id not in met:
            line = Line(cell_id=record.cell_id, verdict="new")
            lines.append(_named(both, record, line))
    return lines


def _named(run: Run, record: Record, line: Line) -> Line:
    return replace(
        line, defense=run.defense(record), attack=run.attack(record), cell=measured_cell(run, record)
    )


def _cell(base: Measured, new: Measured, one: Record, other: Record | None) -> Iterator[Line]:
    whole = Line(cell_id=one.cell_id, verdict="missing")
    if other is None:
        unfinished = one.cell_id in new.run.missing
        yield replace(whole, note="the run has not come to it" if unfinished else "the run has no such cell")
    elif other.cell_id != one.cell_id:
        found = changes(base.run, new.run, one, other)
        yield replace(whole, verdict="not comparable", note="; ".join(found))
    elif other.status in ("failed", "invalid"):
        yield replace(whole, verdict=other.status, note=other.reason)
    elif one.status != other.status:
        if other.status == "skipped":
            yield replace(whole, verdict="skipped", note=other.reason)
        else:
            note = f"it was {one.status} in the baseline: {one.reason}"
            yield replace(whole, verdict="not comparable", note=note)
    elif one.status == "ok":
        yield from _numbers(base, new, one, other)
    else:
        yield replace(whole, verdict="same")


def _numbers(base: Measured, new: Measured, one: Record, other: Record) -> Iterator[Line]:
    suspects = _suspects(one, other)
    for line in compare_numbers(base, new, one, other):
        yield replace(line, suspects=suspects if line.verdict != "same" else ())
    if one.cell["kind"] == "latency":
        yield from compare_times(base.run, new.run, one, other)


def _suspects(one: Record, other: Record) -> tuple[str, ...]:
    before, after = (record.provenance.get("sources", {}) for record in (one, other))
    return tuple(name for name in before if name in after and before[name] != after[name])


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
