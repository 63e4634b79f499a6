"""A run that was tampered with does not pass, whichever way it was done; an honest one does."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pedbench.host.console import Console
from pedbench.registry import Registry
from pedbench.regression.finding import Finding
from pedbench.regression.redo import redo
from pedbench.regression.verify import check_records
from pedbench.results.records import append_record, read_plan, read_records, write_plan
from pedbench.results.values import read_values, remove_values, write_values
from pedbench.suites.cell import cell_digest

pytestmark = pytest.mark.slow


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


def attacked(run_dir: Path) -> str:
    """The cell of the attack on ped_sam that did best."""
    return next(
        cell_id
        for cell_id, record in read_records(run_dir).items()
        if record.cell["defense"]["name"] == "ped_sam"
        and record.cell.get("attack", {}).get("name") == "mean_colour"
    )


def without(run_dir: Path, cell_ids: Collection[str]) -> None:
    """Drop cells from plan, records and values, as if they had never been planned."""
    write_plan(run_dir, [cell_id for cell_id in read_plan(run_dir) if cell_id not in cell_ids])
    records = [record for cell_id, record in read_records(run_dir).items() if cell_id not in cell_ids]
    (run_dir / "records.jsonl").unlink()
    for record in records:
        append_record(run_dir, record)
    for cell_id in cell_ids:
        remove_values(run_dir, cell_id)


def dropped(run_dir: Path) -> None:
    """An unwelcome attack was never planned."""
    without(run_dir, [attacked(run_dir)])


def cut(run_dir: Path) -> None:
    """A picture was never selected."""
    selection = json.loads((run_dir / "pictures.json").read_text())
    (run_dir / "pictures.json").write_text(json.dumps({**selection, "images": selection["images"][:-1]}))


def excused(run_dir: Path, status: Any = "skipped", reason: str = "") -> None:
    """An unwelcome attack could not be run."""
    record = read_records(run_dir)[attacked(run_dir)]
    remove_values(run_dir, record.cell_id)
    reason = reason or "mean_colour needs tokens, of which nothing was received"
    append_record(run_dir, replace(record, status=status, reason=reason, metrics=(), flags=()))


def unflagged(run_dir: Path) -> None:
    """A flag is not told."""
    record = read_records(run_dir)[cell_of(run_dir, "utility", "ped_sam")]
    append_record(
        run_dir, replace(record, flags=tuple(flag for flag in record.flags if flag != "few pictures"))
    )


def flagged(run_dir: Path) -> None:
    """A rival's number is made to look worse than it is."""
    record = read_records(run_dir)[attacked(run_dir)]
    append_record(run_dir, replace(record, flags=(*record.flags, "seed spread above the effect")))


def other_code(run_dir: Path, field: str = "sources") -> None:
    """The hashes are those of other code."""
    record = read_records(run_dir)[attacked(run_dir)]
    made_up = dict.fromkeys(record.provenance[field], "0" * 64)
    append_record(run_dir, replace(record, provenance=record.provenance | {field: made_up}))


def other_weights(run_dir: Path) -> None:
    other_code(run_dir, "weights")


TAMPERED: dict[Callable[[Path], None], str] = {
    flattered: "value of mIoU",
    narrowed: "ci95 of mIoU",
    silent: "is not told",
    relabelled: "its id is not that of its cell",
    picked: "there are no values",
    foreign: "not selected: another",
    unfinished: "planned and has no record|plans no such cell",
    dropped: "the suite asks for it, and the run lacks it",
    cut: "fewer than the limit of 4|selection is not that|not selected",
    excused: "the attack can use what servers received .nothing, pixels",
    unflagged: "it lacks the flag 'few pictures'",
    flagged: "its flag 'seed spread above the effect' follows from nothing",
    other_code: "sources of .* are not those of this installation",
    other_weights: "weights of .* are not those of this installation",
}


@pytest.mark.parametrize("tamper", TAMPERED)
def test_what_was_tampered_with_is_named(copied: Path, tamper: Callable[[Path], None]) -> None:
    tamper(copied)
    found = problems(copied)
    assert found
    assert all(re.search(TAMPERED[tamper], finding.problem) for finding in found), found


def test_an_honest_run_holds_and_what_is_not_known_of_it_is_a_note(copied: Path) -> None:
    assert not problems(copied)
    # Earlier versions recorded less, and had earlier metrics.
    records = read_records(copied)
    for record in records.values():
        kept = {
            name: value for name, value in record.provenance.items() if name not in ("sources", "weights")
        }
        earlier = [replace(metric, version=0) for metric in record.metrics]
        foreign = kept | {"versions": {"pedbench": "0.1.0"}}
        append_record(copied, replace(record, provenance=foreign, metrics=type(record.metrics)(earlier)))
    (note,) = [
        finding.note for finding in check_records(copied, Registry()) if finding.note or finding.problem
    ]
    assert note.startswith("measured by pedbench 0.1.0, this is")


def test_made_up_values_and_excuses_are_found_by_measuring_again(copied: Path) -> None:
    """Values and aggregates agree with each other; only the sources tell."""
    utility, honest = cell_of(copied, "utility", "ped_sam"), cell_of(copied, "utility", "on_device")
    failed, skipped = (
        next(
            cell_id
            for cell_id, record in read_records(copied).items()
            if record.cell["defense"]["name"] == "ped_sam"
            and record.cell.get("attack", {}).get("name") == attack
        )
        for attack in ("random_image", "mean_colour")
    )
    without(copied, set(read_plan(copied)) - {utility, honest, failed, skipped})
    excused(copied, reason="mean_colour was not installed")
    record = read_records(copied)[failed]
    remove_values(copied, failed)
    append_record(copied, replace(record, status="failed", reason="picture 3: it fell over", metrics=()))
    values = read_values(copied, utility)
    remove_values(copied, utility)
    write_values(copied, utility, 0, values.assign(value=(values["value"] + 0.01).clip(upper=1)))
    found = list(redo(copied, [], Console(io.StringIO()), cells=9, pictures=2, seed=3, tolerance=1e-3))
    told = {finding.subject[:12]: finding for finding in found if "the run lacks it" not in finding.problem}
    assert set(told) == {utility, honest, failed, skipped}
    assert not told[honest].problem
    assert "measured again it is" in told[utility].problem
    assert re.match(
        r"it is failed .*, measured again it is ok: \d+ values of [23] pictures", told[failed].problem
    )
    assert "it is skipped (mean_colour was not installed), measured again it is ok" in told[skipped].problem


def test_a_run_of_other_plugins_cannot_be_redone_and_says_so(copied: Path) -> None:
    records = read_records(copied)
    plan = read_plan(copied)
    record = records[plan[0]]
    cell = record.cell | {"defense": record.cell["defense"] | {"version": 99}}
    append_record(copied, replace(record, cell=cell, cell_id=cell_digest(cell)))
    write_plan(copied, [cell_digest(cell), *plan[1:]])
    found = list(redo(copied, [], Console(io.StringIO()), cells=0, pictures=1, seed=0, tolerance=1e-3))
    assert ["plans no such cell" in finding.problem for finding in found] == [False, True]
