"""Values of coalitions of at most c servers, against loops; chains of attacks and slow ones among them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.report.numbers.curves import coalition_curve
from pedbench.report.numbers.speaking import contests, speaking
from pedbench.report.numbers.tidy import privacy
from pedbench.results.at_most import evaluated_coalitions, numbers_at_most, same_question, worst_at_most
from pedbench.results.records import Record, append_record, read_records, write_plan
from pedbench.results.run import Run, load
from pedbench.suites.cell import CoalitionRule, PluginIdentity
from tests.regression.runs import ATTACKED, GEOMETRY, IMAGES, Made, write_run

COALITIONS: dict[Any, tuple[str, ...]] = {1: ("0", "1", "2"), 2: ("0+1", "1+2"), "N": ("0+1+2",)}
READER = PluginIdentity(name="reader", version=1)


def values(c: Any, rng: np.random.Generator, images: list[str] = IMAGES) -> pd.DataFrame:
    """Two seeds of whole and hidden scores; noise hides that more servers know more."""
    rows = [
        (image, servers, seed, region, metric, rng.normal())
        for image in images
        for servers in COALITIONS[c]
        for seed in (0, 1)
        for region, metric in (("whole", "leakage[RMSE]"), ("hidden", "advantage[RMSE]"), ("whole", "RMSE"))
    ]
    return pd.DataFrame(rows, columns=["image", "servers", "seed", "region", "metric", "value"])


def geometry(c: Any, rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        (image, -1, servers, "visible share", rng.uniform(), "")
        for image in IMAGES
        for servers in COALITIONS[c]
    ]
    rows += [(image, -1, server, "content share", 0.3, "") for image in IMAGES for server in "012"]
    rows += [(image, 7, "", "exposure", rng.uniform(), "M") for image in IMAGES]
    return pd.DataFrame(rows, columns=["image", "annotation", "servers", "metric", "value", "tag"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    rng = np.random.default_rng(0)
    cells = []
    rules_of: list[tuple[Any, int]] = [(1, 3), (2, 3), ("N", 1)]
    for c, m in rules_of:
        rule: Any = CoalitionRule(c=c, m=m)
        cells.append(Made(cell=replace(GEOMETRY, coalition=rule), values=geometry(c, rng)))
        cells.append(Made(cell=replace(ATTACKED, coalition=rule), values=values(c, rng), floor=True))
    rules = "[{ c = 1, m = 3 }, { c = 2, m = 3 }, { c = 'N', m = 1 }]"
    return load(write_run(tmp_path_factory.mktemp("sizes") / "run", cells, coalitions=rules))


def record_of(run: Run, c: Any, attacked: bool = True) -> Record:
    (record,) = (
        record
        for record in run.records
        if record.cell["coalition"]["c"] == c and ("attack" in record.cell) == attacked
    )
    return record


@pytest.mark.parametrize(("c", "sizes"), [(1, [1]), (2, [1, 2]), ("N", [1, 2, "N"])])
def test_smaller_coalitions_count_but_for_hidden_parts(run: Run, c: Any, sizes: list[Any]) -> None:
    record = record_of(run, c)
    assert [each.cell["coalition"]["c"] for each in same_question(run, record)] == sizes
    found = worst_at_most(run, record).set_index(["metric", "image"])["value"]
    numbers = {metric.name: metric for metric in numbers_at_most(run, record)}
    for metric, extreme, counted in (
        ("leakage[RMSE]", max, sizes),
        ("RMSE", min, sizes),
        ("advantage[RMSE]", max, [c]),
    ):
        expected = []
        for image in IMAGES:
            means = []
            for size in counted:
                rows = run.values(record_of(run, size).cell_id)
                rows = rows[(rows["metric"] == metric) & (rows["image"] == image)]
                means += [rows.loc[rows["servers"] == s, "value"].mean() for s in COALITIONS[size]]
            expected.append(extreme(means))
            assert found[metric, image] == pytest.approx(expected[-1], rel=1e-12)
        assert numbers[metric].value == pytest.approx(np.mean(expected), rel=1e-12)
        worst = numbers[f"{metric}, worst"].value
        assert worst == pytest.approx(extreme(expected), rel=1e-12)


def test_shares_and_exposure_never_fall(run: Run) -> None:
    numbers = [
        {(m.name, m.region): m.value for m in numbers_at_most(run, record_of(run, c, attacked=False))}
        for c in (1, 2, "N")
    ]
    for smaller, larger in pairwise(numbers):
        assert smaller.keys() == larger.keys()
        assert all(larger[key] >= smaller[key] - 1e-12 for key in smaller)
    assert numbers[2] != numbers[0]


def test_a_completion_of_a_read_out_is_named_after_it_and_a_slow_attack_gives_no_mean(
    run: Run, tmp_path: Path
) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / "suite.toml").write_text((run.directory / "suite.toml").read_text())
    shutil.copytree(run.directory / "values", directory / "values")
    identity = {"name": "reader", "version": 1, "params": {}}
    chosen = []
    for record in read_records(run.directory).values():
        cell = dict(record.cell)
        if "attack" in cell:
            cell |= {"read_out": identity, "scouts": "0" * 12}
        append_record(directory, replace(record, cell=cell))
        chosen.append(record.cell_id)
    write_plan(directory, chosen)
    chained = load(directory)
    assert set(speaking(chained)["attack"]) == {"floor after reader"}
    curve = coalition_curve(chained, privacy(chained))
    assert curve["size"].tolist() == [1, 2, 3]
    assert curve["leakage"].is_monotonic_increasing
    assert curve["leakage_mean"].isna().all()
    assert coalition_curve(run, privacy(run))["leakage_mean"].notna().all()


def test_a_row_says_how_many_coalitions_were_evaluated(run: Run) -> None:
    found = [evaluated_coalitions(run, [record_of(run, c, attacked=False)]) for c in (1, 2, "N")]
    assert found == ["3 of 3", "2 of 3", "1 of 1"]
    assert evaluated_coalitions(run, []) == ""


def test_pictures_that_no_attack_guessed_leave_no_candidate(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    few = values(1, rng, IMAGES[:3])
    cells = [Made(cell=GEOMETRY, values=geometry(1, rng)), Made(cell=ATTACKED, values=few)]
    run = load(write_run(tmp_path / "run", cells))
    (contest,) = (found for (_, metric), found in contests(run).items() if metric == "leakage[RMSE]")
    assert contest.estimate is None
    assert contest.bound
    assert contest.ahead is not None
    assert (contest.ahead.attack, contest.ahead.n, contest.pictures) == ("floor", 3, 8)
    row = speaking(run).iloc[0]
    assert pd.isna(row["value"])
    assert row["ahead"] == "floor"
