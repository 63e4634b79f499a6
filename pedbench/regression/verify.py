"""Does a run say what it measured? Aggregates again from values, and a sample of values again from their sources."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from pedbench.base import Metric
from pedbench.engines.open_bench import open_bench, warm_up_bench
from pedbench.host.console import Console
from pedbench.host.stopwatch import Profile
from pedbench.measure.one_defense import measure
from pedbench.measure.outcome import Outcome
from pedbench.measure.record import summed_up
from pedbench.models.sam.family import family
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.registry import Registry
from pedbench.regression.finding import Finding
from pedbench.report.words.problems import described_lie
from pedbench.results.records import MetricValue, Record, read_plan, read_records
from pedbench.results.run import load
from pedbench.results.selection import read_selection
from pedbench.results.values import DEFAULTS, read_values
from pedbench.suites.cell import cell_digest, selection_hash
from pedbench.suites.planning import make_plan
from pedbench.suites.resolve import Overrides, resolve

ROUNDING = 1e-9
"""Relative difference that aggregates of the same values may have: the order of sums."""

_KEY = ["image", "annotation", "region", "servers", "request", "seed", "metric"]
"""Columns that distinguish the values of a cell."""


def check_records(run_dir: Path, registry: Registry) -> Iterator[Finding]:
    """Hold every record against its cell, its values and the selection of pictures; nothing is measured.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: A file of the run cannot be understood.
    """
    run = load(run_dir)
    records = read_records(run_dir)
    metrics = [registry.create("metrics", choice.name, choice.params) for choice in run.suite.metrics]
    selection = read_selection(run_dir)
    images = list(selection.images) if selection is not None else []
    for cell_id in read_plan(run_dir):
        record = records.get(cell_id)
        if record is None:
            yield Finding(subject=f"cell {cell_id}", problem="it is planned and has no record")
            continue
        problem = _inconsistency(run_dir, record, metrics, images)
        yield Finding(subject=described(record), problem=problem, detail=f"{len(record.metrics)} numbers")


def _inconsistency(run_dir: Path, record: Record, metrics: Sequence[Metric], images: Sequence[str]) -> str:
    """Return why a record cannot be right; empty if it follows from what is beside it."""
    digest = cell_digest(record.cell)
    if digest != record.cell_id:
        return f"its id is not that of its cell, which is {digest}"
    if record.status != "ok":
        return f"it is {record.status} and has numbers" if record.metrics else ""
    values = read_values(run_dir, record.cell_id)
    if values.empty:
        return "there are no values"
    selections = {selection_hash(images[:count]) for count in range(1, len(images) + 1)}
    # Cells about claims have a selection of their own: the pictures that hold something to read.
    if "probe" not in record.cell and record.cell["selection"] not in selections:
        return "its selection is not that of the pictures in pictures.json"
    foreign = sorted(set(values["image"]) - set(images))
    if foreign:
        return f"values of pictures that were not selected: {', '.join(foreign[:3])}"
    if values.duplicated(_KEY).any():
        return "several values for the same thing"
    return _different(record.metrics, summed_up(record.cell, values, metrics))


def _different(stored: Sequence[MetricValue], repeated: Sequence[MetricValue]) -> str:
    """Return the first difference between stored and recomputed numbers; empty if there is none."""
    known = {(metric.name, metric.region): metric for metric in repeated}
    for metric in stored:
        found = known.pop((metric.name, metric.region), None)
        name = f"{metric.name}, {metric.region}" if metric.region else metric.name
        if found is None:
            return f"{name} does not follow from the values"
        for field, value in asdict(metric).items():
            other = getattr(found, field)
            numbers = value is not None and other is not None and field in ("value", "ci95")
            same = np.allclose(value, other, rtol=ROUNDING, atol=ROUNDING) if numbers else value == other
            if not same:
                return f"{field} of {name} is told as {value}, the values give {other}"
    return f"{next(iter(known))[0]} follows from the values and is not told" if known else ""


def redo(
    run_dir: Path,
    plugins: Sequence[Path],
    console: Console,
    *,
    cells: int,
    pictures: int,
    seed: int,
    tolerance: float,
) -> Iterator[Finding]:
    """Measure a random sample again, from the dataset on, and hold it against the run's values.

    Args:
        plugins: Files and folders with further plugins.
        cells: How many cells of utility and privacy.
        pictures: On how many of the run's pictures.
        seed: Of the choice.
        tolerance: Absolute or relative, whichever allows more: other processors and numbers of threads round otherwise.

    Raises:
        PluginError: A plugin is unknown or broken.
        DatasetError: The dataset cannot be read.
        CheckpointError: Weights are missing.
    """
    run = load(run_dir)
    plan = make_plan(
        resolve(run.suite, Overrides(), Registry(plugins)),
        Registry(plugins),
        family(run.suite.model, run.suite.weights or {}),
    )
    planned = {cell.cell_id for cell in plan.cells()}
    for record in run.records:
        if record.cell_id not in planned:
            yield Finding(
                subject=described(record),
                problem="this installation plans no such cell: a plugin, its weights or the dataset are other ones",
            )
    chance = random.Random(seed)
    able = [
        r.cell_id
        for r in run.records
        if r.status == "ok" and r.cell["kind"] != "latency" and r.cell_id in planned
    ]
    sample = set(chance.sample(able, min(cells, len(able))))
    due = [(part, {cell.cell_id for cell in part.cells()} & sample) for part in plan.defenses]
    due = [(part, ids) for part, ids in due if ids]
    if not due:
        return
    networks = FamilyNetworks(family=plan.family)
    records = {record.cell_id: record for record in run.records}
    with open_bench(plan, networks, [part for part, _ in due], console, Profile()) as bench:
        for part, ids in due:
            chosen = chance.sample(part.images, min(pictures, len(part.images)))
            outcome = Outcome()
            with console.stage(f"{part.defense.label} again", total=len(chosen)) as advance:
                with outcome.giving_up(list(part.cells()), "warming up"):
                    part.defense.prepare(bench.device)
                    bench.restore_servers()
                    warm_up_bench(bench, part)
                if not outcome.problems:
                    outcome = measure(bench, part, chosen, ids, advance)
            names = {plan.dataset.ids()[index] for index in chosen}
            for cell_id in sorted(ids):
                yield _compared(run_dir, records[cell_id], outcome, names, tolerance)


def _compared(run_dir: Path, record: Record, outcome: Outcome, images: set[str], tolerance: float) -> Finding:
    subject = described(record)
    if record.cell_id in outcome.problems:
        status, reason = outcome.problems[record.cell_id]
        return Finding(subject=subject, problem=f"measured again, it is {status}: {reason}")
    stored = read_values(run_dir, record.cell_id)
    stored = stored[stored["image"].isin(images)]
    repeated = pd.DataFrame(
        [DEFAULTS | row for row in outcome.rows.get(record.cell_id, [])], columns=stored.columns
    )
    both = stored.merge(repeated, on=_KEY, how="outer", suffixes=("", "_again"), indicator=True)
    if (both["_merge"] != "both").any():
        row = both[both["_merge"] != "both"].iloc[0]
        side = "the run" if row["_merge"] == "left_only" else "the repetition"
        return Finding(
            subject=subject, problem=f"{row['metric']} of picture {row['image']} is in {side} alone"
        )
    off = (both["value"] - both["value_again"]).abs()
    allowed = tolerance * both["value"].abs().clip(lower=1)
    if (off > allowed).any():
        row = both.iloc[int((off - allowed).to_numpy().argmax())]
        return Finding(
            subject=subject,
            problem=f"{row['metric']} of picture {row['image']} is told as {row['value']:.6g}, measured again it is "
            f"{row['value_again']:.6g}",
        )
    return Finding(
        subject=subject, detail=f"{len(both)} values of {len(images)} pictures, {off.max():.1e} off at most"
    )


def described(record: Record) -> str:
    """Return a cell in words, with its id."""
    cell = record.cell
    parts = [cell["kind"], cell["defense"]["name"]]
    parts += [cell[role]["name"] for role in ("attack", "probe") if role in cell]
    parts += [f"c = {cell['coalition']['c']}"] if "coalition" in cell else []
    parts += [described_lie(cell["lie"])] if "lie" in cell else []
    return f"{record.cell_id} ({', '.join(parts)})"
