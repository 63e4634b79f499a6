"""Curves over coalitions and over a parameter, of one small run, against its values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.report.numbers.curves import LEAKED, coalition_curve
from pedbench.report.numbers.tidy import privacy
from pedbench.results.run import load

SIZES = [1, 2, 3, 5]

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def swept(run_small: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run_small(
        tmp_path_factory.mktemp("swept"),
        report=True,
        defenses=[
            {"name": "full_offload", "latency": False},
            {"name": "ped_sam", "sweep": {"servers": [2, 3, 5]}, "latency": False},
        ],
        metrics=["root_mean_square_error"],
        coalitions=[{"c": 1, "m": 1}, {"c": "N", "m": 1}, {"c": SIZES, "m": 2}],
    )


def values(run: Any, servers: int, c: Any, m: int, attack: str) -> pd.DataFrame:
    (record,) = (
        record
        for record in run.of("ped_sam", attack=attack)
        if record.cell["defense"]["params"]["servers"] == servers
        and record.cell["coalition"] == {"c": c, "m": m}
    )
    found: pd.DataFrame = run.values(record)
    return found


def test_a_sweep_has_the_sizes_that_a_defense_has_servers_for(swept: Any) -> None:
    sizes = {
        (record.cell["defense"]["params"].get("servers", 1), record.cell["coalition"]["c"])
        for record in swept.records
        if record.cell["kind"] == "privacy" and record.cell["coalition"]["m"] == 2
    }
    assert sizes == {(servers, c) for servers in (1, 2, 3, 5) for c in SIZES if c <= servers}


def test_each_size_counts_with_its_worst_coalition_and_with_the_mean_of_all(swept: Any) -> None:
    run = load(swept.directory)
    curve = coalition_curve(run, privacy(run))
    mine = curve[curve["defense"] == "ped_sam(servers=5)"]
    assert mine["size"].tolist() == SIZES
    assert set(curve["defense"]) == {"ped_sam(servers=3)", "ped_sam(servers=5)"}
    for _, row in mine.iterrows():
        assert (row["servers"], row["m"]) == (5, 2 if row["size"] < 5 else row["m"])
        tables = {a: values(swept, 5, row["size"], 2, a) for a in ("mean_colour", "random_image")}
        leaks = {a: t[t["metric"] == "leakage[RMSE]"] for a, t in tables.items()}
        worst = {a: t.groupby("image")["value"].max().mean() for a, t in leaks.items()}
        strongest = max(worst, key=lambda attack: worst[attack])
        if row["size"] < 5:
            assert row["attack"] == strongest
        assert row["leakage"] == pytest.approx(worst[strongest], rel=1e-12)
        assert row["leakage_mean"] == pytest.approx(leaks[strongest]["value"].mean(), rel=1e-12)
        shares = values(swept, 5, row["size"], 2, "").query("metric == 'visible share'")
        assert row["visible_share"] == pytest.approx(shares.groupby("image")["value"].max().mean())
    assert np.all(np.diff(mine["leakage"]) > 0)
    assert mine["leakage"].iloc[-1] == 1
    expected = min(size for size, leak in zip(mine["size"], mine["leakage"], strict=True) if leak >= LEAKED)
    assert set(mine["passes_at"]) == {expected}


def test_a_parameters_curve_holds_the_combined_rows_in_order(swept: Any) -> None:
    table = pd.read_csv(swept.directory / "tables" / "sweeps.csv")
    assert table["setting"].tolist() == [2, 3, 5]
    assert set(zip(table["sweep"], table["parameter"], strict=True)) == {("ped_sam", "servers")}
    for _, row in table.iterrows():
        # All single servers that were evaluated under any rule count: the share of objects of which one sees half.
        tables = [values(swept, int(row["setting"]), 1, m, "") for m in (1, 2)]
        found = (
            pd.concat(tables).query("metric == 'exposure'").groupby(["image", "annotation"])["value"].max()
        )
        assert row["exposure_c1_m1"] == pytest.approx((found >= 0.5).mean())
    assert np.all(np.diff(table["visible_share_c1_m1_value"]) < 0)


def test_the_report_shows_curves_and_keeps_them_out_of_the_overview(swept: Any) -> None:
    report = (swept.directory / "report.md").read_text()
    for name in ("coalitions", "sweep_ped_sam_servers"):
        assert f"](figures/{name}.png)" in report
        assert (Path(swept.directory) / "figures" / f"{name}.svg").is_file()
    assert "### Coalitions of growing size" in report
    overview = report.partition("## Overview")[2].partition("##")[0]
    assert "c=1" in overview
    assert "c=2" not in overview
    assert "### Attacks, c = 2" not in report
