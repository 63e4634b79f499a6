"""Identities, records, values, seeds and run directories: what a run leaves on disk."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.host.provenance import provenance
from pedbench.measure.seeds import generator, guess_seed, torch_seed
from pedbench.results.records import MetricValue, Record, append_record, read_plan, read_records, write_plan
from pedbench.results.run_directory import RunLockedError, locked, run_directory, settle
from pedbench.results.values import read_columns, read_values, remove_values, write_values
from pedbench.suites.cell import Cell, CoalitionRule, PluginIdentity, selection_hash
from pedbench.suites.files import load_suite
from pedbench.suites.schema import ResolvedSuite

ROOT = Path(__file__).parents[2]

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
    made = Record(cell_id=cell.cell_id, cell=cell.as_dict(), status="ok", metrics=(metric(),), flags=("few",))
    return replace(made, **changes)


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


def test_values_come_back_as_they_were(tmp_path: Path) -> None:
    first = pd.DataFrame({"image": ["a", "b"], "metric": "rmse", "value": [0.1, 1 / 3], "region": "hidden"})
    second = pd.DataFrame(
        {"image": ["c"], "metric": "IoU", "value": [1.0], "annotation": [900100000000], "tag": "S"}
    )
    write_values(tmp_path, "0123", 0, first)
    for _ in range(2):
        write_values(tmp_path, "0123", 1, second)
    write_values(tmp_path, "4567", 0, second)
    read = read_values(tmp_path, "0123")
    assert read["value"].tolist() == [0.1, 1 / 3, 1.0]
    assert read["annotation"].tolist() == [-1, -1, 900100000000]
    assert read["tag"].tolist() == ["", "", "S"]
    assert not list(tmp_path.rglob("*.partial"))
    remove_values(tmp_path, "0123")
    assert read_values(tmp_path, "0123").empty
    assert len(read_values(tmp_path, "4567")) == 1


def test_values_without_pyarrow_are_lines_that_read_like_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values: dict[str, list[Any]] = {
        "image": ["a", "b"],
        "metric": ["wall", "bytes up"],
        "value": [1 / 3, np.int64(7)],
    }
    write_values(tmp_path, "0123", 0, values)
    write_values(tmp_path, "4567", 0, values)
    with monkeypatch.context() as patch:
        patch.setattr("pedbench.results.values.find_spec", lambda _: None)
        path = write_values(tmp_path, "4567", 0, values)
    assert [file.name for file in path.parent.glob("4567*")] == ["4567-0000.jsonl"]
    pd.testing.assert_frame_equal(read_values(tmp_path, "4567"), read_values(tmp_path, "0123"))
    assert read_columns(tmp_path, "4567") == read_columns(tmp_path, "0123")
    whole = path.read_text()
    for line in ("[]", "{}", "1", "{", whole.replace("7.0", "7"), whole.replace("-1", f"{2**63}")):
        path.write_text(whole + line)
        with pytest.raises(ValueError, match=r"4567-0000.jsonl: line \d is no row of image, annotation"):
            read_values(tmp_path, "4567")
    remove_values(tmp_path, "4567")
    assert not path.exists()


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("value", np.nan, "1 rows are not finite numbers, first rmse of image b"),
        ("value", np.inf, "not finite"),
        ("region", None, "not finite"),
        ("colour", "red", r"unknown: \['colour'\]"),
    ],
)
def test_gaps_in_values_are_refused(tmp_path: Path, column: str, value: object, sentence: str) -> None:
    values = pd.DataFrame({"image": ["a", "b"], "metric": "rmse", "value": [0.1, 0.2]})
    values[column] = pd.Series([0.1 if column == "value" else "x", value])
    with pytest.raises(ValueError, match=sentence):
        write_values(tmp_path, "0123", 0, values)
    with pytest.raises(ValueError, match=r"missing: \['image', 'metric'\]"):
        write_values(tmp_path, "0123", 0, values[["value"]])


def test_seeds_depend_on_their_arguments_alone() -> None:
    draws = generator(0, "scenes", "a", "ped_sam").random(4).tolist()
    assert draws == generator(0, "scenes", "a", "ped_sam", 0).random(4).tolist()
    others = [(1, "scenes", "a", "ped_sam"), (0, "s", "cenesa", "ped_sam"), (0, "scenes", "b", "ped_sam")]
    assert all(generator(*other).random(4).tolist() != draws for other in others)
    assert generator(0, "scenes", "a", "ped_sam", 1).random(4).tolist() != draws
    assert 0 <= torch_seed(0, "scenes", "a", "ped_sam") < 2**63
    # The streams of published runs must never change.
    assert torch_seed(0, "scenes", "a", "ped_sam", 2) == PINNED_SEED


def test_seeds_of_guesses_name_no_picture_and_differ_from_view_to_view() -> None:
    seed = guess_seed(0, b"frame", b"held", "vitmae")
    assert seed == guess_seed(0, b"frame", b"held", "vitmae") < 2**63
    others = [(1, b"frame", b"held", "vitmae"), (0, b"other", b"held", "vitmae"),
              (0, b"frame", b"less", "vitmae"), (0, b"frame", b"held", "deblur")]  # fmt: skip
    assert len({seed, *(guess_seed(*other) for other in others)}) == 5
    public = [
        torch_seed(0, dataset, image, "vitmae") for dataset in ("scenes", "") for image in ("a", "frame")
    ]
    assert seed not in public


PINNED_SEED = int(hashlib.sha256(b'[0, "scenes", "a", "ped_sam", 2]').hexdigest(), 16) >> 193


@pytest.fixture
def suite() -> ResolvedSuite:
    return ResolvedSuite.model_validate(load_suite("proof").model_dump())


def test_the_same_suite_continues_in_its_directory(tmp_path: Path, suite: ResolvedSuite) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot be written .*--out"):
        run_directory(tmp_path / "file", suite)
    first = run_directory(tmp_path, suite)
    assert first.parent == tmp_path / "runs"
    assert first.name.startswith("proof-")
    assert load_suite(str(first / "suite.toml")) == load_suite("proof")
    assert run_directory(tmp_path, suite) == first
    second = run_directory(tmp_path, suite, fresh=True)
    assert second != first
    assert run_directory(tmp_path, suite) == second
    assert run_directory(tmp_path, suite.model_copy(update={"seed": 5})) not in (first, second)


def test_latest_is_the_newest_run_that_began(tmp_path: Path, suite: ResolvedSuite) -> None:
    directories = [run_directory(tmp_path, suite, fresh=True) for _ in range(3)]
    for directory in directories[:2]:
        write_plan(directory, [CELL.cell_id])
    for directory in directories:
        with locked(directory):
            settle(directory)
    assert (tmp_path / "latest").resolve() == directories[1].resolve()
    assert not directories[2].exists()


@pytest.mark.parametrize("obstacle", ["a real folder", "no links"])
def test_a_link_that_cannot_be_made_is_a_note(
    obstacle: str, tmp_path: Path, suite: ResolvedSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = run_directory(tmp_path, suite)
    write_plan(directory, [CELL.cell_id])

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    if obstacle == "no links":
        monkeypatch.setattr(Path, "symlink_to", refuse)
        reason = "Operation not permitted"
    else:
        (tmp_path / "latest").mkdir()
        (tmp_path / "latest" / "report.md").touch()
        reason = "it is a folder"
    with locked(directory):
        note = settle(directory)
    assert reason in note
    assert str(directory) in note
    assert {path.name for path in tmp_path.iterdir()} <= {"runs", "latest"}


def test_two_runs_never_write_one_directory(tmp_path: Path) -> None:
    script = f"""if True:
        from pathlib import Path
        from pedbench.results.run_directory import RunLockedError, locked
        try:
            with locked(Path({str(tmp_path)!r})):
                print("free")
        except RunLockedError as error:
            print(error)
    """
    command = [sys.executable, "-c", script]

    def other() -> str:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    with locked(tmp_path), pytest.raises(RunLockedError), locked(tmp_path):
        pass
    with locked(tmp_path):
        assert "another run (process" in other()
    assert other() == "free\n"


def test_provenance_names_code_machine_and_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    found = provenance(run_id="r", device="cpu", sources={"ped_sam": "ab"}, weights={"sam-mini": "cd"})
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {
        "run_id",
        "utc",
        "commit",
        "dirty",
        "versions",
        "device",
        "machine_id",
        "sources",
        "weights",
    } <= set(found)
    assert found["versions"]["torch"]
    assert found["cores"] >= 1
    assert str(ROOT) not in json.dumps(found)
