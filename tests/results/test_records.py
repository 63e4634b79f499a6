"""Identities of cells, and records and plans on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pedbench.results.records import MetricValue, Record, append_record, read_plan, read_records, write_plan
from pedbench.suites.cell import Cell, CoalitionRule, PluginIdentity, selection_hash

CELL = Cell(
    kind="privacy",
    dataset="scenes",
    revision="1",
    selection=selection_hash(["a", "b"]),
    model="mini",
    weights="ab",
    defense=PluginIdentity(name="ped_sam", version=1, params={"servers": 3, "share": 0.1}),
    seed=0,
    attack=PluginIdentity(name="biharmonic", version=1),
    coalition=CoalitionRule(c="N", m=1),
    requests=1,
)


def metric(value: float = 0.5) -> MetricValue:
    return MetricValue(
        name="rmse",
        region="hidden",
        axis="privacy",
        better="higher",
        unit="",
        value=value,
        ci95=(0.4, 0.6),
        n=2,
        version=1,
    )


def record(cell: Cell = CELL, **changes: Any) -> Record:
    default = Record(
        cell_id=cell.cell_id, cell=cell.as_dict(), status="ok", metrics=(metric(),), flags=("few",)
    )
    return replace(default, **changes)


def test_the_identity_of_a_cell_is_the_documented_hash() -> None:
    spelt = (
        '{"attack":{"name":"biharmonic","params":{},"version":1},"coalition":{"c":"N","m":1},"dataset":"scenes",'
        '"defense":{"name":"ped_sam","params":{"servers":3,"share":0.1},"version":1},"kind":"privacy",'
        '"model":"mini","requests":1,"revision":"1","seed":0,"selection":"SELECTION","weights":"ab"}'
    ).replace("SELECTION", CELL.selection)
    assert CELL.cell_id == hashlib.sha256(spelt.encode()).hexdigest()[:12]
    reordered = PluginIdentity(name="ped_sam", version=1, params={"share": 0.1, "servers": 3})
    assert replace(CELL, defense=reordered).cell_id == CELL.cell_id
    assert replace(CELL, seed=1).cell_id != CELL.cell_id
    assert selection_hash(["b", "a"]) != CELL.selection


def test_the_newest_record_of_a_cell_wins(tmp_path: Path) -> None:
    failed = record(status="failed", reason="the server died", metrics=())
    other = record(replace(CELL, seed=1))
    for entry in (failed, other, record()):
        append_record(tmp_path, entry)
    read = read_records(tmp_path)
    assert list(read) == [CELL.cell_id, other.cell_id]
    assert read[CELL.cell_id] == record()
    assert len((tmp_path / "records.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("cut", [1, 40, 10**9])
def test_a_half_line_is_ignored_and_repaired(tmp_path: Path, cut: int) -> None:
    append_record(tmp_path, record())
    path = tmp_path / "records.jsonl"
    whole = path.read_bytes()
    # The line of a killed run lacks its end, however long it is.
    path.write_bytes(whole + (whole * 100).replace(b"\n", b" ")[:cut])
    assert list(read_records(tmp_path)) == [CELL.cell_id]
    append_record(tmp_path, record(replace(CELL, seed=1)))
    assert path.read_bytes().startswith(whole)
    assert len(read_records(tmp_path)) == 2


def test_wrong_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_record(tmp_path, record(metrics=(metric(float("nan")),)))
    with pytest.raises(ValueError, match="'failed' cannot have the reason ''"):
        record(status="failed")
    with pytest.raises(FileNotFoundError, match="holds no run"):
        read_records(tmp_path)
    path = tmp_path / "records.jsonl"
    append_record(tmp_path, record())
    data = json.loads(path.read_text())
    for changed, sentence in (
        ({"schema": 2, "more": 1}, r"records\.jsonl, line 1: the record has schema 2"),
        ({"status": "fine"}, r"line 1: not a record, at status"),
        ({"colour": "red"}, r"line 1: not a record, at colour"),
    ):
        path.write_text(json.dumps({**data, **changed}) + "\n")
        with pytest.raises(ValueError, match=sentence):
            read_records(tmp_path)


def test_the_plan_keeps_the_order_of_cells(tmp_path: Path) -> None:
    cells = [replace(CELL, seed=seed) for seed in range(5)]
    write_plan(tmp_path, [cell.cell_id for cell in cells])
    assert read_plan(tmp_path) == [cell.cell_id for cell in cells]
