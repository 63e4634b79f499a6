"""The frames against the values that the run's cells were made from, computed with NumPy alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.report.numbers.combined import combined
from pedbench.report.numbers.tidy import latency, privacy, utility
from pedbench.results.records import append_record, read_plan, read_records
from pedbench.results.run import labels, load
from pedbench.suites.cell import canonical_json

SIZES = {"all": "SML", "S": "S", "M": "M", "L": "L", "ML": "ML"}


@pytest.fixture(scope="session")
def frames(made: Any) -> dict[str, pd.DataFrame]:
    run = load(made.directory)
    return {table.__name__: table(run) for table in (utility, privacy, latency, combined)}


def one(frame: pd.DataFrame, **wanted: Any) -> Any:
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1, frame
    return frame.iloc[0]


def worst(values: pd.DataFrame, metric: str, region: str, extreme: Any = np.max) -> np.ndarray[Any, Any]:
    """Per picture, over coalitions."""
    rows = values[(values["metric"] == metric) & (values["region"] == region)]
    return np.array(
        [extreme(rows.loc[rows["image"] == image, "value"]) for image in sorted(set(rows["image"]))]
    )


def test_each_cell_of_the_plan_is_in_its_table(made: Any, frames: dict[str, pd.DataFrame]) -> None:
    found = pd.concat([frames[kind] for kind in ("utility", "privacy", "latency")])
    assert set(found["cell_id"]) == set(made.cells.values())
    bad = found[found["status"] != "ok"]
    assert bad["value"].isna().all()
    assert (bad["reason"] != "").all()
    assert not bad["cell_id"].duplicated().any()
    assert bad["status"].value_counts().to_dict() == {"failed": 9, "skipped": 2, "invalid": 1}
    assert (found[found["status"] == "ok"]["reason"] == "").all()


@pytest.mark.parametrize("region", SIZES)
@pytest.mark.parametrize("prompt", ["1 click", "box"])
def test_utility_is_the_mean_over_annotations(
    made: Any, frames: dict[str, pd.DataFrame], prompt: str, region: str
) -> None:
    for defense in ("u", "b", "3", "25"):
        cell_id = made.cells[defense, "utility"]
        values = made.values[cell_id]
        chosen = (values["metric"] == f"IoU[{prompt}]") & values["tag"].str[0].isin(list(SIZES[region]))
        row = one(frames["utility"], cell_id=cell_id, metric=f"mIoU[{prompt}]", region=region)
        assert row["value"] == pytest.approx(np.mean(values.loc[chosen, "value"].to_numpy()), rel=1e-12)
        assert row["n"] == values.loc[chosen, "image"].nunique()
        assert row["low"] < row["value"] < row["high"]


def test_retention_is_paired_by_annotation(made: Any, frames: dict[str, pd.DataFrame]) -> None:
    undefended, split = (made.values[made.cells[name, "utility"]] for name in ("u", "3"))
    for region in ("all", "ML"):
        sums = []
        for values in (undefended, split):
            chosen = (values["metric"] == "IoU[box]") & values["tag"].str[0].isin(list(SIZES[region]))
            sums.append(values.loc[chosen, "value"].sum())
        row = one(
            frames["utility"], defense="split(servers=3, note=plain)", metric="mIoU[box]", region=region
        )
        assert row["retention"] == pytest.approx(sums[1] / sums[0], rel=1e-12)
        assert row["retention_low"] < row["retention"] < row["retention_high"]
    of_reference = frames["utility"][frames["utility"]["defense"] == "undefended"]["retention"].dropna()
    assert (of_reference == 1).all()
    assert len(of_reference) == 4


def at_most(example: Any, defense: str, c: Any, attack: str) -> pd.DataFrame:
    """Values of coalitions of at most c servers: those of one server count for all servers, too."""
    sizes = (1,) if c == 1 else (1, "N")
    found = [example.values.get(example.cells[defense, size, attack]) for size in sizes]
    values: pd.DataFrame = pd.concat([values for values in found if values is not None])
    return values


def test_combined_names_the_strongest_attack_of_each_rule(made: Any, frames: dict[str, pd.DataFrame]) -> None:
    for defense, label in (("u", "undefended"), ("b", "blur"), ("3", "split(servers=3, note=plain)")):
        row = one(frames["combined"], defense=label)
        for c, columns in ((1, "c1_m3"), ("N", "cN_m1")):
            for metric in ("leakage[RMSE]", "leakage[SSIM]"):
                means = {
                    attack: worst(at_most(made, defense, c, attack), metric, "whole").mean()
                    for attack in ("floor", "reader")
                    if made.cells[defense, c, attack] in made.values
                }
                strongest = max(means, key=lambda attack: means[attack])
                # It is so much stronger that both halves of the pictures select it.
                assert row[f"{metric}_{columns}_attack"] == strongest
                assert row[f"{metric}_{columns}_value"] == pytest.approx(means[strongest], rel=1e-12)
            shares = at_most(made, defense, c, "geometry")
            expected = worst(shares.assign(region=""), "visible share", "").mean()
            assert row[f"visible_share_{columns}_value"] == pytest.approx(expected, rel=1e-12)
    assert one(frames["combined"], defense="blur")["leakage[RMSE]_c1_m3_attack"] == "floor"


def test_combined_says_what_is_missing(made: Any, frames: dict[str, pd.DataFrame]) -> None:
    table = frames["combined"]
    assert list(table["defense"]) == [
        "undefended",
        "blur",
        "split(servers=3, note=plain)",
        made.nasty,
        "broken",
    ]
    blur, broken = one(table, defense="blur"), one(table, defense="broken")
    assert (broken["failed"], broken["invalid"], broken["skipped"]) == (8, 0, 0)
    assert (blur["failed"], blur["invalid"], blur["skipped"]) == (0, 1, 2)
    numbers = [name for name in table.columns if name.endswith(("_value", "_low", "_high", "_n"))]
    assert broken[numbers].isna().all()
    assert blur["latency_status"] == "invalid"
    assert pd.isna(blur["wall_p50_value"])
    bound = table[["leakage[RMSE]_c1_m3_bound", "leakage[RMSE]_cN_m1_bound"]].to_numpy().tolist()
    assert bound == [[False, False], [False, False], [False, False], [True, False], [False, False]]
    assert one(table, defense=made.nasty)["privacy_doubts_c1_m3"] == "reader failed"


def test_combined_latency(made: Any, frames: dict[str, pd.DataFrame]) -> None:
    values = made.values[made.cells["3", "latency"]]
    row = one(frames["combined"], defense="split(servers=3, note=plain)")
    for metric, column in (("wall", "wall_p50"), ("turn-taking", "turn_taking_p50")):
        times = values[(values["metric"] == metric) & (values["region"] == "end to end")]["value"]
        assert row[f"{column}_value"] == pytest.approx(np.median(times), rel=1e-12)
        assert row[f"{column}_n"] == 20
    assert (row["bytes_up_value"], row["bytes_down_value"]) == (2 * 150528, 2 * 1024)


def test_privacy_tail_is_on_the_bad_side(made: Any, frames: dict[str, pd.DataFrame]) -> None:
    cell_id = made.cells["3", 1, "reader"]
    values = made.values[cell_id]
    for metric, region, extreme, q in (
        ("leakage[RMSE]", "whole", np.max, 0.9),
        ("RMSE", "hidden", np.min, 0.1),
    ):
        each = worst(values, metric, region, extreme)
        for suffix, expected in (
            ("", each.mean()),
            (", p90", np.quantile(each, q)),
            (", worst", extreme(each)),
        ):
            row = one(frames["privacy"], cell_id=cell_id, metric=metric + suffix, region=region)
            assert row["value"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_cells_without_a_record_and_records_without_a_cell(made: Any, tmp_path: Path) -> None:
    directory = shutil.copytree(made.directory, tmp_path / "run")
    plan = read_plan(directory)
    left = [cell_id for cell_id in plan if cell_id != made.cells["3", 1, "reader"]]
    lines = (directory / "records.jsonl").read_text().splitlines(keepends=True)
    (directory / "records.jsonl").write_text("".join(line for line in lines if plan[-1] not in line))
    (directory / "cells.json").write_text(str(left).replace("'", '"'))
    run = load(directory)
    assert run.missing == (plan[-1],)
    assert [record.cell_id for record in run.records] == left[:-1]
    table = combined(run)
    assert table["leakage[RMSE]_c1_m3_bound"][table["leakage[RMSE]_c1_m3_value"].notna()].all()


@pytest.mark.slow
@pytest.mark.parametrize("fate", ["absent", "failed", "twice"])
def test_retention_needs_exactly_one_reference(made: Any, tmp_path: Path, fate: str) -> None:
    directory = shutil.copytree(made.directory, tmp_path / "run")
    records = read_records(directory)
    undefended, split = (records[made.cells[name, "utility"]] for name in ("u", "3"))
    changed = {
        "absent": replace(undefended, flags=()),
        "failed": replace(undefended, status="failed", reason="out of memory", metrics=()),
        "twice": replace(split, flags=("reference",)),
    }
    append_record(directory, changed[fate])
    if fate == "twice":
        with pytest.raises(ValueError, match=r"undefended, split\(servers=3"):
            utility(load(directory))
        return
    table = utility(load(directory))
    assert table["retention"].isna().all()
    expected = {"absent": "was not measured", "failed": "is failed"}[fate]
    reasons = table.loc[(table["region"] == "ML") & (table["status"] == "ok"), "retention_reason"]
    assert reasons.str.contains(expected).all()
    assert combined(load(directory))["retention_value"].isna().all()


def test_labels_tell_plugins_apart() -> None:
    def identity(name: str, version: int = 1, **params: Any) -> dict[str, Any]:
        return {"name": name, "version": version, "params": params}

    given = [
        identity("a", x=1, y="same"),
        identity("a", x=2.5, y="same"),
        identity("a", x=2.5, y="same", z=[1]),
        identity("b", x=1),
        identity("c", version=1),
        identity("c", version=2),
        identity("b", x=1),
    ]
    names = ["a(x=1)", "a(x=2.5)", "a(x=2.5, z=[1])", "b", "c(version=1)", "c(version=2)"]
    assert list(labels(given).values()) == names
    known = {canonical_json(each): {"x": 1, "y": "other", "z": [1]} for each in given}
    with_shared = ["a(x=1, y=same)", "a(x=2.5, y=same)", "a(x=2.5, z=[1], y=same)", *names[3:]]
    assert list(labels(given, known).values()) == with_shared
    # What has no default is always stated, as by `Plugin.label`.
    key = canonical_json(given[3])
    assert labels(given[3:4], {key: {"y": "same"}}) == {key: "b(x=1)"}
