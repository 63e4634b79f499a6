"""Choices hold for the same attacks on other pictures, and for nothing else."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pedbench.report.numbers.worst_case import worst_case_table, worst_cases
from pedbench.results.records import Record, append_record, read_plan, read_records
from pedbench.results.run import load
from pedbench.validity.preselected_attack import attacked, keep_choices, load_choices


@pytest.fixture
def training(small_run: Any, tmp_path: Path) -> Path:
    """The small run as if it had been about other pictures, on which the other attack of two is the strongest."""
    directory: Path = shutil.copytree(small_run.directory, tmp_path / "training")
    records = read_records(directory)
    groups: dict[Any, list[Record]] = {}
    for cell_id in read_plan(directory):
        record = records[cell_id]
        if "attack" in record.cell:
            key = (record.cell["defense"]["name"], record.cell["coalition"]["c"])
            groups.setdefault(key, []).append(record)
    for pair in groups.values():
        for record, other in zip(pair, pair[::-1], strict=True):
            cell = record.cell | {"revision": "other pictures"}
            append_record(directory, replace(record, cell=cell, metrics=other.metrics))
    return directory


def leakage(run: Any, defense: str) -> dict[str, float]:
    """Attack -> mean leakage, one server."""
    means = {}
    for attack in ("mean_colour", "random_image"):
        record = run.of(defense, attack=attack)[0]
        means[attack] = next(m.value for m in record.metrics if m.name == "leakage[RMSE]")
    return means


def test_the_attack_that_training_pictures_chose_is_reported(
    small_run: Any, training: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "choices.json"
    run = load(small_run.directory)
    before = worst_cases(run, kept)
    assert before["chosen"].isna().all()
    keep_choices(training, kept)
    after = worst_cases(run, kept)
    means = leakage(small_run, "ped_sam")
    weaker = min(means, key=lambda attack: means[attack])
    chosen = after[
        (after["defense"] == "ped_sam") & (after["c"] == "1") & (after["metric"] == "leakage[RMSE]")
    ].iloc[0]
    assert chosen["chosen_attack"] == weaker
    assert chosen["chosen"] == pytest.approx(means[weaker], rel=1e-12)
    assert chosen["chosen"] < chosen["worst_case"]
    assert f"`{weaker}`" in worst_case_table(after[after["c"] == "1"])


def test_a_choice_on_the_evaluated_pictures_or_among_other_attacks_does_not_count(
    small_run: Any, training: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "choices.json"
    run = load(small_run.directory)
    keep_choices(small_run.directory, kept)
    assert worst_cases(run, kept)["chosen"].isna().all()
    keep_choices(training, kept)
    entries = json.loads(kept.read_text())
    records = attacked(run)["ped_sam", "1", 3]
    assert load_choices(kept).attack(records, "leakage[RMSE]")
    assert not load_choices(kept).attack(records[:1], "leakage[RMSE]")
    assert not load_choices(kept).attack(records, "leakage[LPIPS]")
    for change in ({"model": "vit_b"}, {"among": "0" * 12}, {"coalition": {"c": 2, "m": 3}}):
        kept.write_text(json.dumps([entry | change for entry in entries]))
        assert not load_choices(kept).attack(records, "leakage[RMSE]")


def test_a_run_with_a_failed_attack_chooses_nothing_for_its_defense(training: Path, tmp_path: Path) -> None:
    kept = tmp_path / "choices.json"
    names = {entry["defense"]["name"] for entry in keep_choices(training, kept)}
    assert names == {"on_device", "full_offload", "ped_sam", "random_payload"}
    kept.unlink()
    for record in read_records(training).values():
        if record.cell["defense"]["name"] == "ped_sam" and "attack" in record.cell:
            append_record(training, replace(record, status="failed", reason="out of memory", metrics=()))
            break
    new = keep_choices(training, kept)
    assert ("ped_sam", 1) not in {(e["defense"]["name"], e["coalition"]["c"]) for e in new}
    assert ("ped_sam", "N") in {(e["defense"]["name"], e["coalition"]["c"]) for e in new}
