"""Comparisons of a made-up run against NumPy and SciPy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pedbench.report.numbers.comparisons import comparisons
from pedbench.report.numbers.tidy import utility
from pedbench.report.outputs.writing import write_report
from pedbench.results.run import load
from pedbench.results.statistics import holm

SPLIT = "split(servers=3, note=plain)"


@pytest.fixture(scope="module")
def compared(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = shutil.copytree(made.directory, tmp_path_factory.mktemp("compared") / "run")
    with (directory / "suite.toml").open("a") as suite:
        suite.write('[compare_with]\nname = "split"\nparams = { servers = 3 }\n')
    return directory


@pytest.fixture(scope="module")
def frame(compared: Path) -> pd.DataFrame:
    run = load(compared)
    return comparisons(run, utility(run))


def one(frame: pd.DataFrame, **wanted: Any) -> Any:
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1, frame
    return frame.iloc[0]


def worst(values: pd.DataFrame, metric: str) -> Any:
    return values[values["metric"] == metric].groupby("image")["value"].max()


@pytest.mark.parametrize(("defense", "label"), [("u", "undefended"), ("b", "blur")])
@pytest.mark.parametrize("c", [1, "N"])
def test_leakage_is_paired_by_picture(
    made: Any, frame: pd.DataFrame, defense: str, label: str, c: Any
) -> None:
    # The reader is the stronger one, and was skipped on the blur.
    attack = {"u": "reader", "b": "floor"}[defense]
    row = one(frame, kind="privacy", metric="leakage[RMSE]", c=str(c), defense=label)
    assert (row["reference"], row["reference_attack"], row["attack"]) == (SPLIT, "reader", attack)
    sizes = (1,) if c == 1 else (1, "N")
    mine, other = (
        pd.concat([made.values[made.cells[name, size, speaker]] for size in sizes])
        for name, speaker in ((defense, attack), ("3", "reader"))
    )
    differences = (worst(mine, "leakage[RMSE]") - worst(other, "leakage[RMSE]")).to_numpy()
    assert row["difference"] == pytest.approx(differences.mean(), rel=1e-12)
    assert row["low"] < row["difference"] < row["high"]
    assert row["n"] == 24
    if row["p"] > 0.01:
        assert row["p"] == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.05)
    else:
        assert stats.ttest_1samp(differences, 0).pvalue < 0.01


def test_utility_is_paired_by_annotation(made: Any, frame: pd.DataFrame) -> None:
    row = one(frame, kind="utility", metric="mIoU[box]", region="ML", defense="undefended")
    tables = [made.values[made.cells[name, "utility"]] for name in ("u", "3")]
    sums = [t[(t["metric"] == "IoU[box]") & t["tag"].str[0].isin(["M", "L"])]["value"] for t in tables]
    assert row["difference"] == pytest.approx(np.mean(sums[0]) - np.mean(sums[1]), rel=1e-9)


def test_p_is_corrected_over_the_defenses_of_one_number(frame: pd.DataFrame) -> None:
    groups = frame.groupby(["kind", "metric", "region", "c", "m"], dropna=False)
    assert {len(rows) for _, rows in groups} == {3}
    for _, rows in groups:
        assert rows["p_holm"].tolist() == holm(rows["p"].tolist())
    assert SPLIT not in set(frame["defense"])


@pytest.mark.slow
def test_a_report_has_the_section_only_if_its_suite_asks(made: Any, compared: Path) -> None:
    report = write_report(load(compared)).read_text(encoding="utf-8")
    assert f"### mIoU[1 click], M+L, against `{SPLIT}`" in report
    headings = [line for line in report.splitlines() if line.startswith("### ") and ", against " in line]
    assert len(headings) == len(set(headings)) == 1 + 2 * 2
    assert not any("advantage" in line for line in headings)
    assert f"### leakage[RMSE], c = 1 (m = 3), against `{SPLIT}` `reader`" in report
    assert "## Comparisons" not in write_report(load(made.directory)).read_text(encoding="utf-8")
