"""A sample of a run's cells measured again, from the dataset on."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from pedbench.engines.open_bench import open_bench, warm_up_bench
from pedbench.host.console import Console
from pedbench.host.stopwatch import Profile
from pedbench.measure.one_defense import measure
from pedbench.measure.outcome import Outcome
from pedbench.measure.record import status_of
from pedbench.models.sam.family import family
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.registry import Registry
from pedbench.regression.finding import Finding
from pedbench.regression.recomputed import described, differing_plan
from pedbench.results.claim_summary import mistrusted
from pedbench.results.records import Record, read_plan
from pedbench.results.run import Run, load
from pedbench.results.values import DEFAULTS, KEY
from pedbench.suites.cell import Cell
from pedbench.suites.planning import make_plan
from pedbench.suites.resolve import Overrides, resolve


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
    """Measure a random sample again, from the dataset on, and compare it with the run's values, reasons and flags.

    Cells of hosted attacks are left out: nothing of a run that may come from elsewhere is uploaded.

    Args:
        plugins: Files and folders with further plugins.
        cells: How many cells of utility and privacy with values, and how many that were skipped, failed or are invalid.
        pictures: On how many of the run's pictures.
        seed: Of the choice.
        tolerance: Absolute or relative, whichever allows more: other processors and numbers of threads round otherwise.

    Raises:
        PluginError: A plugin is unknown or broken.
        DatasetError: The dataset cannot be read.
        CheckpointError: Weights are missing.
    """
    run = load(run_dir)
    registry = Registry(plugins)
    suite = resolve(run.suite, Overrides(), registry)
    plan = make_plan(suite, registry, family(suite.model, suite.weights or {}))
    yield from differing_plan(run, read_plan(run_dir), plan)
    hosted = [
        cell
        for part in plan.defenses
        for attack, cell in (*part.privacy, *((claims.attack, claims.cell) for claims in part.claims))
        if attack is not None and attack.plugin.hosted is not None
    ]
    planned = {cell.cell_id for cell in plan.cells() if cell not in hosted}
    chance = random.Random(seed)
    sample: set[str] = set()
    for measured in (True, False):
        able = [
            record.cell_id
            for record in run.records
            if record.cell["kind"] != "latency"
            and record.cell_id in planned
            and (record.status == "ok") == measured
        ]
        sample |= set(chance.sample(able, min(cells, len(able))))
    due = [(part, [cell for cell in part.cells() if cell.cell_id in sample]) for part in plan.defenses]
    records = {record.cell_id: record for record in run.records}
    for part, cells_due in due:
        if unnamed := plan.family.unnamed(part.defense.networks):
            outcome = Outcome()
            outcome.spoil(cells_due, "skipped", unnamed)
            yield from (
                _compared(run, records[cell.cell_id], cell, outcome, set(), tolerance) for cell in cells_due
            )
    due = [(part, each) for part, each in due if each and not plan.family.unnamed(part.defense.networks)]
    if not due:
        return
    networks = FamilyNetworks(family=plan.family)
    ids = plan.dataset.ids()
    with open_bench(plan, networks, [part for part, _ in due], console, Profile()) as bench:
        for part, cells_due in due:
            chosen = set(chance.sample(part.images, min(pictures, len(part.images))))
            # A reason that names a picture is tried on that one.
            reasons = " ".join(records[cell.cell_id].reason for cell in cells_due)
            chosen |= {
                index for index in part.images if re.search(rf"picture {re.escape(ids[index])}\b", reasons)
            }
            outcome = Outcome()
            with console.stage(f"{part.defense.label} again", total=len(chosen)) as advance:
                with outcome.giving_up(list(part.cells()), "warming up"):
                    part.defense.prepare(bench.device)
                    bench.restore_servers()
                    warm_up_bench(bench, part)
                if not outcome.problems:
                    cell_ids = {cell.cell_id for cell in cells_due}
                    outcome = measure(bench, part, sorted(chosen), cell_ids, advance)
            names = {ids[index] for index in chosen}
            for cell in cells_due:
                yield _compared(run, records[cell.cell_id], cell, outcome, names, tolerance)


def _compared(
    run: Run, record: Record, cell: Cell, outcome: Outcome, images: set[str], tolerance: float
) -> Finding:
    subject = described(record.cell_id, record.cell)
    rows = outcome.rows.get(record.cell_id, [])
    status, reason = status_of(cell, outcome, measured=bool(rows))
    stored = run.values(record.cell_id)
    doubted = record.status == "invalid" and cell.probe is not None and bool(mistrusted(stored))
    stored = stored[stored["image"].isin(images)]
    if record.status != "ok" and not doubted:
        if (status, reason) == (record.status, record.reason) or status == record.status != "skipped":
            return Finding(subject=subject, detail=f"{status} again: {reason}")
        found = f"{len(rows)} values of {len(images)} pictures" if status == "ok" else reason
        problem = f"it is {record.status} ({record.reason}), measured again it is {status}: {found}"
        return Finding(subject=subject, problem=problem)
    if record.cell_id in outcome.problems:
        return Finding(subject=subject, problem=f"measured again, it is {status}: {reason}")
    if unflagged := sorted(outcome.flags[record.cell_id] - set(record.flags)):
        return Finding(subject=subject, problem=f"measured again, it has the flags {', '.join(unflagged)}")
    repeated = pd.DataFrame([DEFAULTS | row for row in rows], columns=stored.columns)
    both = stored.merge(repeated, on=KEY, how="outer", suffixes=("", "_again"), indicator=True)
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
