"""Does a run say what it measured? Records again from values, and the list of its cells again from its suite."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

import pedbench
from pedbench.base import Metric
from pedbench.measure.record import summed_up
from pedbench.registry import Registry
from pedbench.regression.finding import Finding
from pedbench.regression.recomputed import described, differing_plan, forgery, recorded_plan
from pedbench.results.records import MetricValue, Record, read_plan, read_records
from pedbench.results.run import load
from pedbench.results.selection import read_selection
from pedbench.results.summary import MOMENTS
from pedbench.results.values import KEY, read_values
from pedbench.suites.cell import cell_digest, selection_hash

ROUNDING = 1e-9
"""Relative difference that aggregates of the same values may have: the order of sums."""


def check_records(run_dir: Path, registry: Registry) -> Iterator[Finding]:
    """Hold every record against its cell, its values, the selection and the suite's plan; nothing is measured.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: A file of the run cannot be understood.
    """
    run = load(run_dir)
    records = read_records(run_dir)
    metrics = [registry.create("metrics", choice.name, choice.params) for choice in run.suite.metrics]
    selection = read_selection(run_dir)
    images = list(selection.images) if selection is not None else []
    plan, doubts = recorded_plan(run, registry)
    yield from doubts
    planned = {cell.cell_id: (part, cell) for part in plan.defenses for cell in part.cells()} if plan else {}
    listed = read_plan(run_dir)
    for cell_id in listed:
        record = records.get(cell_id)
        if record is None:
            yield Finding(subject=f"cell {cell_id}", problem="it is planned and has no record")
            continue
        problem = _inconsistency(run_dir, record, metrics, images)
        if not problem and plan is not None and cell_id in planned:
            problem = forgery(run, plan, *planned[cell_id], record)
        yield Finding(
            subject=described(cell_id, record.cell), problem=problem, detail=f"{len(record.metrics)} numbers"
        )
    if plan is not None:
        yield from differing_plan(run, listed, plan)


def _inconsistency(run_dir: Path, record: Record, metrics: Sequence[Metric], images: Sequence[str]) -> str:
    """Return why a record cannot be right; empty if it follows from what is beside it."""
    digest = cell_digest(record.cell)
    if digest != record.cell_id:
        return f"its id is not that of its cell, which is {digest}"
    values = read_values(run_dir, record.cell_id)
    if record.status != "ok":
        if record.metrics or (record.status == "skipped" and not values.empty):
            return f"it is {record.status} and has numbers"
        return ""
    if values.empty:
        return "there are no values"
    selections = {selection_hash(images[:count]) for count in range(1, len(images) + 1)}
    # Cells about claims have a selection of their own: the pictures that hold something to read.
    if "probe" not in record.cell and record.cell["selection"] not in selections:
        return "its selection is not that of the pictures in pictures.json"
    foreign = sorted(set(values["image"]) - set(images))
    if foreign:
        return f"values of pictures that were not selected: {', '.join(foreign[:3])}"
    if values[~values["metric"].isin(MOMENTS)].duplicated(KEY).any():
        return "several values for the same thing"
    # Another pedbench has its own versions of the metrics.
    elsewhere = record.provenance.get("versions", {}).get("pedbench") != pedbench.__version__
    return _different(
        record.metrics, summed_up(record.cell, values, metrics), {"version"} if elsewhere else frozenset()
    )


def _different(
    stored: Sequence[MetricValue], repeated: Sequence[MetricValue], unchecked: Collection[str]
) -> str:
    """Return the first difference between stored and recomputed numbers, unchecked fields apart; "" without any."""
    known = {(metric.name, metric.region): metric for metric in repeated}
    for metric in stored:
        found = known.pop((metric.name, metric.region), None)
        name = f"{metric.name}, {metric.region}" if metric.region else metric.name
        if found is None:
            return f"{name} does not follow from the values"
        for field, value in asdict(metric).items():
            if field in unchecked:
                continue
            other = getattr(found, field)
            numbers = value is not None and other is not None and field in ("value", "ci95")
            same = np.allclose(value, other, rtol=ROUNDING, atol=ROUNDING) if numbers else value == other
            if not same:
                return f"{field} of {name} is told as {value}, the values give {other}"
    return f"{next(iter(known))[0]} follows from the values and is not told" if known else ""
