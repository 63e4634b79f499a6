"""An attack is calibrated by a run that shows its figure, or by a kept one, and by nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from pedbench.base import Attack, Calibration, Proof
from pedbench.registry import Registry
from pedbench.report.numbers.tidy import privacy
from pedbench.results.records import Record, append_record, write_plan
from pedbench.results.run import load
from pedbench.results.run_directory import SUITE
from pedbench.results.values import write_values
from pedbench.suites.cell import Cell, CoalitionRule, PluginIdentity, canonical_json
from pedbench.suites.files import load_suite, to_toml
from pedbench.validity.calibration import DECLARED, KEPT, UNPROVEN, Verdict, judge, keep

OPEN = PluginIdentity(name="open", version=1, params={"level": 2, "other": "x"})
SHUT = PluginIdentity(name="shut", version=1)
READER = PluginIdentity(name="reader", version=3, params={"k": 1})
FLOOR = PluginIdentity(name="floor", version=1)
CALIBRATION = Calibration(defense="open", params={"level": 2}, metric="PSNR", region="whole", least=5.0)
BASE = Cell(
    kind="privacy",
    dataset="scenes",
    revision="1",
    selection="0",
    model="mini",
    weights="0",
    defense=OPEN,
    seed=0,
    requests=1,
)
Entry = tuple[PluginIdentity, int, PluginIdentity, Sequence[float]]
"""Defense, c, attack, and a value a picture."""


def write(folder: Path, entries: Sequence[Entry], calibration: Calibration | None = CALIBRATION) -> Path:
    folder.mkdir()
    cells = []
    for defense, c, attack, values in entries:
        cell = replace(BASE, defense=defense, coalition=CoalitionRule(c=c, m=1), attack=attack)
        images = [str(index) for index in range(len(values))]
        rows = [(image, "0", "whole", "PSNR", value) for image, value in zip(images, values, strict=True)]
        # None of these counts.
        rows += [(image, "0", region, name, 99.0) for image in images for region, name in NOISE]
        columns = ["image", "servers", "region", "metric", "value"]
        write_values(folder, cell.cell_id, 0, pd.DataFrame(rows, columns=columns))
        floor = attack == FLOOR
        attacker = {"floor": floor, DECLARED: asdict(calibration) if calibration and not floor else None}
        append_record(
            folder, Record(cell_id=cell.cell_id, cell=cell.as_dict(), status="ok", attacker=attacker)
        )
        cells.append(cell)
    write_plan(folder, [cell.cell_id for cell in cells])
    (folder / SUITE).write_text(to_toml(load_suite("proof")))
    return folder


NOISE = (("hidden", "PSNR"), ("whole", "RMSE"))


def verdict(folder: Path, kept: Path) -> Verdict:
    return judge(load(folder), kept)[canonical_json(asdict(READER))]


@pytest.mark.parametrize(
    ("entries", "proven", "reached"),
    [
        ([(OPEN, 1, READER, [4.0, 6.5])], True, "5.25 on 2"),
        ([(OPEN, 1, READER, [4.0, 5.5])], False, "4.75 on 2"),
        # Under the rule that gives the most.
        ([(OPEN, 1, READER, [1.0]), (OPEN, 2, READER, [7.0, 7.0, 7.0])], True, "7 on 3"),
        # Elsewhere, or in another configuration, it counts for nothing.
        ([(SHUT, 1, READER, [50.0])], False, ""),
        ([(replace(OPEN, params={"level": 3}), 1, READER, [50.0])], False, ""),
    ],
)
def test_the_run_decides(tmp_path: Path, entries: list[Entry], proven: bool, reached: str) -> None:
    found = verdict(write(tmp_path / "run", entries), tmp_path / "nothing.json")
    assert found.proven == proven
    assert found.reached.startswith(reached)
    assert found.figure == "PSNR (whole) on open(level=2) of at least 5"


def test_a_gain_is_paired_with_the_other_attack(tmp_path: Path) -> None:
    entries = [(OPEN, 1, READER, [9.0, 10.0]), (OPEN, 1, FLOOR, [3.0, 5.5]), (SHUT, 1, FLOOR, [0.0, 0.0])]
    over = replace(CALIBRATION, over="floor")
    found = verdict(write(tmp_path / "run", entries, over), tmp_path / "nothing.json")
    assert (found.proven, found.reached.split(" of this")[0]) == (True, "5.25 on 2 pictures")
    alone = verdict(write(tmp_path / "alone", entries[:1], over), tmp_path / "nothing.json")
    assert (alone.proven, alone.reached) == (False, "")


def test_what_is_kept_counts_for_the_same_attack_model_and_figure_alone(tmp_path: Path) -> None:
    kept = tmp_path / "calibrations.json"
    keep(write(tmp_path / "ground", [(OPEN, 1, READER, [8.0]), (OPEN, 1, FLOOR, [8.0])]), kept)
    (entry,) = json.loads(kept.read_text())
    assert (entry["value"], entry["n"], entry["run"]) == (8, 1, "ground")
    elsewhere = write(tmp_path / "elsewhere", [(SHUT, 1, READER, [0.0]), (SHUT, 1, FLOOR, [0.0])])
    assert verdict(elsewhere, kept).proven
    for change in (
        {"model": "vit_b"},
        {"attack": entry["attack"] | {"version": 2}},
        {DECLARED: entry[DECLARED] | {"least": 4.0}},
        {"value": 4.9},
    ):
        kept.write_text(json.dumps([entry | change]))
        assert not verdict(elsewhere, kept).proven
    # A run of its own that falls short outweighs what is kept.
    kept.write_text(json.dumps([entry]))
    short = write(tmp_path / "short", [(OPEN, 1, READER, [1.0])])
    assert not verdict(short, kept).proven
    keep(short, kept)
    assert [again["value"] for again in json.loads(kept.read_text())] == [1.0]


def test_tables_flag_what_is_unproven(tmp_path: Path) -> None:
    entries = [(SHUT, 1, READER, [0.0]), (SHUT, 1, FLOOR, [0.0])]
    for name, calibration in (("some", CALIBRATION), ("none", None)):
        frame = privacy(load(write(tmp_path / name, entries, calibration)))
        flags = dict(zip(frame["attack"], frame["flags"], strict=True))
        assert flags == {"reader": UNPROVEN, "floor": ""}


def test_the_names_of_the_first_versions_mean_the_same() -> None:
    class Old(Attack):
        proof = Proof(defense="open", metric="PSNR", region="whole", least=5.0)

    assert Old.calibration == Calibration(defense="open", metric="PSNR", region="whole", least=5.0)
    assert Attack.calibration is None


OWING = {"diffusion_inpaint", "hosted_inpaint"}
"""Attacks in the tree that have nothing to show yet; all that they do is flagged."""


def test_every_other_attack_in_the_tree_is_calibrated_by_a_kept_run() -> None:
    registry = Registry()
    kept = json.loads(KEPT.read_text())
    owing = set()
    for name, origin in registry.origins("attacks").items():
        attack = registry.create("attacks", name, {})
        if origin.type != "in-tree" or attack.floor:
            continue
        identity = {"name": name, "version": attack.version, "params": attack.params}
        same = [entry for entry in kept if entry["attack"] == identity]
        if attack.calibration is None or not same:
            owing.add(name)
            continue
        assert attack.calibration.defense in registry.origins("defenses")
        assert same[0][DECLARED] == json.loads(json.dumps(asdict(attack.calibration)))
        assert same[0]["value"] >= attack.calibration.least
    assert owing == OWING, "declare `calibration`, then: pedbench run proving-grounds; pedbench calibrate"
