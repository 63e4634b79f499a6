"""A run that was tampered with does not pass, whichever way it was done; an honest one does."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pedbench.host.console import Console
from pedbench.registry import Registry
from pedbench.regression.finding import Finding
from pedbench.regression.verify import check_records, redo
from pedbench.results.records import append_record, read_plan, read_records, write_plan
from pedbench.results.values import read_values, write_values
from pedbench.suites.cell import cell_digest


@pytest.fixture
def copied(small_run: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run.directory, tmp_path / "run"))


def problems(run_dir: Path) -> list[Finding]:
    return [finding for finding in check_records(run_dir, Registry()) if finding.problem]


def cell_of(run_dir: Path, kind: str, defense: str) -> str:
    return next(
        cell_id
        for cell_id, record in read_records(run_dir).items()
        if record.cell["kind"] == kind and record.cell["defense"]["name"] == defense and record.status == "ok"
    )


def flattered(run_dir: Path) -> None:
    """The mean is told higher than it is."""
    record = read_records(run_dir)[cell_of(run_dir, "utility", "ped_sam")]
    first, *rest = record.metrics
    better = replace(first, value=first.value + 1e-6)
    append_record(run_dir, replace(record, metrics=(better, *rest)))


def narrowed(run_dir: Path) -> None:
    """An interval is told narrower than it is."""
    record = read_records(run_dir)[cell_of(run_dir, "utility", "ped_sam")]
    index = next(place for place, metric in enumerate(record.metrics) if metric.ci95)
    low, high = record.metrics[index].ci95 or (0, 0)
    metrics = list(record.metrics)
    metrics[index] = replace(metrics[index], ci95=(low + (high - low) / 4, high))
    append_record(run_dir, replace(record, metrics=tuple(metrics)))


def silent(run_dir: Path) -> None:
    """A number that follows from the values is not told."""
    record = read_records(run_dir)[cell_of(run_dir, "privacy", "ped_sam")]
    append_record(run_dir, replace(record, metrics=record.metrics[1:]))


def relabelled(run_dir: Path) -> None:
    """The cell is told to be another than its id says."""
    record = read_records(run_dir)[cell_of(run_dir, "utility", "ped_sam")]
    append_record(run_dir, replace(record, cell=record.cell | {"seed": 7}))


def picked(run_dir: Path) -> None:
    """A picture that went badly is gone, values and aggregate alike."""
    cell_id = cell_of(run_dir, "utility", "ped_sam")
    for shard in (run_dir / "values").glob(f"{cell_id}-*"):
        shard.unlink()


def foreign(run_dir: Path) -> None:
    """A value of a picture that was not selected."""
    cell_id = cell_of(run_dir, "utility", "ped_sam")
    one = read_values(run_dir, cell_id).head(1).assign(image="another")
    write_values(run_dir, cell_id, 9, one)


def unfinished(run_dir: Path) -> None:
    """A planned cell has no record."""
    write_plan(run_dir, [*read_plan(run_dir), "0" * 12])


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (flattered, "value of mIoU"),
        (narrowed, "ci95 of mIoU"),
        (silent, "is not told"),
        (relabelled, "its id is not that of its cell"),
        (picked, "there are no values"),
        (foreign, "not selected: another"),
        (unfinished, "planned and has no record"),
    ],
)
def test_what_was_tampered_with_is_named(copied: Path, tamper: Callable[[Path], None], said: str) -> None:
    assert not problems(copied)
    tamper(copied)
    (found,) = problems(copied)
    assert said in found.problem


def test_values_that_nobody_measured_are_found_by_measuring_again(copied: Path) -> None:
    """Values and aggregates agree with each other; only the sources tell."""
    utility = cell_of(copied, "utility", "ped_sam")
    for cell_id in read_plan(copied):
        if cell_id not in (utility, cell_of(copied, "utility", "on_device")):
            record = read_records(copied)[cell_id]
            append_record(copied, replace(record, status="skipped", reason="not looked at", metrics=()))
    assert all(not finding.problem for finding in again(copied))
    values = read_values(copied, utility)
    shards = sorted((copied / "values").glob(f"{utility}-*"))
    for shard in shards:
        shard.unlink()
    write_values(copied, utility, 0, values.assign(value=(values["value"] + 0.01).clip(upper=1)))
    findings = again(copied)
    (lie,) = [finding for finding in findings if finding.problem]
    assert "ped_sam" in lie.subject
    assert "measured again" in lie.problem


def again(run_dir: Path) -> list[Finding]:
    found = list(redo(run_dir, [], Console(io.StringIO()), cells=9, pictures=2, seed=3, tolerance=1e-3))
    assert len(found) == 2
    return found


def test_a_run_of_other_plugins_cannot_be_redone_and_says_so(copied: Path) -> None:
    records = read_records(copied)
    plan = read_plan(copied)
    record = records[plan[0]]
    cell = record.cell | {"defense": record.cell["defense"] | {"version": 99}}
    append_record(copied, replace(record, cell=cell, cell_id=cell_digest(cell)))
    write_plan(copied, [cell_digest(cell), *plan[1:]])
    found = list(redo(copied, [], Console(io.StringIO()), cells=0, pictures=1, seed=0, tolerance=1e-3))
    assert ["plans no such cell" in finding.problem for finding in found] == [True]
