"""Suites whose servers lie: what cells they make, what is found, and what the report shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.models.sam.family import family
from pedbench.registry import Registry
from pedbench.report.outputs.content import gather
from pedbench.report.words.text import NOTHING
from pedbench.results.records import parse_records
from pedbench.results.run import load
from pedbench.suites.cell import cell_digest
from pedbench.suites.files import SuiteError, load_suite, to_toml
from pedbench.suites.planning import make_plan
from pedbench.suites.quick import quicker
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import ResolvedSuite, Suite
from tests.conftest import SMALL, Finished, Run

LIES = [
    {"lie": "noise", "liars": 1, "checks": [0, 3, 25]},
    {"lie": "nan", "liars": 2},
    {"lie": "replay", "liars": 3},
    {"lie": "perturbed", "liars": 1, "strength": 0.01, "checks": 25},
]
LYING = [{"name": "on_device"}, {"name": "ped_sam", "lies": LIES}]


def _resolved(**changes: Any) -> ResolvedSuite:
    return resolve(Suite.model_validate(SMALL | changes), Overrides(), Registry())


@pytest.fixture(scope="module")
def lying(run_small: Run, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    dataset = SMALL["dataset"] | {"limit": 4}
    directory = tmp_path_factory.mktemp("lying")
    return run_small(directory, report=True, dataset=dataset, defenses=LYING, attacks=["mean_colour"])


def _told(lying: Finished) -> dict[tuple[str, int, int], Any]:
    return {
        (record.cell["lie"]["lie"], record.cell["lie"]["liars"], record.cell["lie"]["checks"]): record
        for record in lying.of("ped_sam", "integrity")
    }


def _numbers(record: Any) -> dict[str, float]:
    return {metric.name: metric.value for metric in record.metrics if metric.region in ("all", "")}


def _ious(lying: Finished, record: Any) -> pd.DataFrame:
    values = lying.values(record)
    rows = values[values["metric"].str.startswith("IoU[")]
    assert len(rows)
    return rows.sort_values(["image", "annotation"])[["image", "annotation", "value"]].reset_index(drop=True)


@pytest.mark.long
def test_liars_are_found_and_their_work_done_again(lying: Finished) -> None:
    assert {record.status for record in lying.records} == {"ok"}
    (honest,) = lying.of("ped_sam", "utility")
    level, told = _ious(lying, honest), _told(lying)
    for sure in (("noise", 1, 25), ("nan", 2, 0)):
        assert _numbers(told[sure])["liar found"] == _numbers(told[sure])["expected to be found"] == 1
        pd.testing.assert_frame_equal(_ious(lying, told[sure]), level, check_exact=True)
    for unchecked in (("noise", 1, 0), ("replay", 3, 0)):
        assert (
            _numbers(told[unchecked])["liar found"] == _numbers(told[unchecked])["expected to be found"] == 0
        )
        assert _ious(lying, told[unchecked])["value"].mean() < level["value"].mean() - 0.02
    # What is within the tolerance is not wrong, whatever is checked.
    hidden = _numbers(told["perturbed", 1, 25])
    assert hidden["liar found"] == hidden["expected to be found"] == 0
    assert not any("degraded" in record.flags for record in lying.records)


@pytest.mark.long
def test_the_expected_probability_is_that_of_all_draws(lying: Finished) -> None:
    values = lying.values(_told(lying)["noise", 1, 3])
    expected = values[values["metric"] == "expected to be found"]["value"]
    # A frame of 3 to 4 has 20 windows and one of 1 to 1 has 25; the first of three servers holds every third.
    shares = []
    for windows, held in ((20, 7), (20, 6), (25, 9), (25, 8)):
        draws = list(combinations(range(windows), 3))
        shares.append(sum(any(window < held for window in draw) for draw in draws) / len(draws))
    assert len(expected) == 4
    assert all(np.isclose(value, shares).any() for value in expected)


@pytest.mark.long
def test_the_report_shows_lies_in_their_section_alone(lying: Finished) -> None:
    text = (lying.directory / "report.md").read_text(encoding="utf-8")
    section = text[text.index("## Integrity") :]
    lines = [
        line for line in section[: section.index("\n## ")].splitlines() if line.startswith("| `ped_sam`")
    ]
    cells = [[part.strip() for part in line.strip("|").split("|")] for line in lines]
    assert [row[1:4] for row in cells] == [
        ["none", "0 of 3", NOTHING],
        ["noise", "1 of 3", "0"],
        ["noise", "1 of 3", "3"],
        ["noise", "1 of 3", "25"],
        ["nan", "2 of 3", "0"],
        ["replay", "3 of 3", "0"],
        ["perturbed by 0.01", "1 of 3", "25"],
    ]
    assert [row[6] for row in cells][:2] == [NOTHING, "0 of 4"]
    assert cells[3][5:8] == ["+0.00 [+0.00, +0.00]", "4 of 4", "100.0 %"]
    page = (lying.directory / "report.html").read_text(encoding="utf-8")
    assert '<section id="integrity">' in page
    assert list((lying.directory / "tables").glob("integrity_*.tex"))
    frame = pd.read_csv(lying.directory / "tables" / "integrity.csv")
    found = frame[(frame["lie"] == "noise") & (frame["checks"] == 0) & (frame["region"] == "all")].iloc[0]
    honest = frame[(frame["lie"] == "none") & (frame["region"] == "all")].iloc[0]
    assert found["difference"] == pytest.approx(found["value"] - honest["value"])
    assert found["difference_low"] <= found["difference"] <= found["difference_high"] < 0
    # Nowhere else.
    content = gather(load(lying.directory))
    lies = {record.cell_id for record in lying.of("ped_sam", "integrity")}
    for name, table in content.frames.items():
        if name != "integrity" and "cell_id" in table:
            assert not lies & set(table["cell_id"]), name
    combined = content.frames["combined"].set_index("defense")
    assert combined.loc["ped_sam", "utility_value"] == honest_of(content.frames["utility"])


def honest_of(frame: pd.DataFrame) -> float:
    rows = frame[(frame["defense"] == "ped_sam") & frame["region"].isin(["all", "ML"])]
    return float(
        rows[rows["metric"].str.endswith("]")]["value"].iloc[-1 if "ML" in set(rows["region"]) else 0]
    )


@pytest.mark.long
def test_values_do_not_depend_on_shards(lying: Finished, run_small: Run, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pedbench.engines.jobs.SHARD", 1)
        dataset = SMALL["dataset"] | {"limit": 4}
        again = run_small(tmp_path, dataset=dataset, defenses=LYING[1:], attacks=["mean_colour"])
    for record in again.of("ped_sam", "integrity"):
        (before,) = (other for other in lying.records if other.cell_id == record.cell_id)
        pd.testing.assert_frame_equal(_ious(again, record), _ious(lying, before), check_exact=True)
        assert _numbers(record) == _numbers(before)


def test_a_suite_without_lies_has_the_cells_and_the_text_that_it_had(small_run: Finished) -> None:
    baseline = Path(__file__).parents[2] / "reports" / "baselines" / "mini-quick.jsonl"
    known = parse_records(baseline)
    assert all(cell_digest(record.cell) == cell_id for cell_id, record in known.items())
    suite = resolve(quicker(load_suite("mini")), Overrides(), Registry())
    plan = make_plan(suite, Registry(), family("mini"))
    assert {cell.cell_id for cell in plan.cells()} == set(known)
    assert "lies" not in to_toml(resolve(load_suite("mini"), Overrides(), Registry()))
    assert "Integrity" not in (small_run.directory / "report.md").read_text(encoding="utf-8")


def test_lies_are_swept_and_written_down() -> None:
    swept = [{"lie": "noise", "liars": [1, 2], "checks": [0, 2]}, {"lie": "noise", "liars": 1}]
    suite = _resolved(defenses=[{"name": "ped_sam", "sweep": {"servers": [3, 9]}, "lies": swept}])
    for choice in suite.defenses:
        assert [(each.liars, each.checks) for each in choice.lies or ()] == [(1, 0), (1, 2), (2, 0), (2, 2)]
    assert resolve(suite, Overrides(), Registry()) == suite
    plan = make_plan(suite, Registry(), family("mini"))
    kinds = [cell.kind for cell in plan.cells()]
    assert kinds.count("integrity") == 8
    assert len({cell.cell_id for cell in plan.cells()}) == len(kinds)


@pytest.mark.parametrize(
    ("name", "lies", "said"),
    [
        ("ped_sam", [{"lie": "noise", "liars": [2, 4]}], "4 servers of ped_sam.* are to lie, and it has 3"),
        ("full_offload", [{"lie": "noise", "liars": 1}], "return no tokens of windows"),
        ("on_device", [{"lie": "noise", "liars": 1}], "no servers that could be found out"),
    ],
)
def test_lies_that_nobody_can_tell_are_refused(name: str, lies: Sequence[Any], said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        _resolved(defenses=[{"name": name, "lies": lies}])


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ('{ lie = "nose", liars = 1 }', "lies.0.lie: expected 'noise', 'replay', 'perturbed' or 'nan'"),
        ('{ lie = "noise", liars = 0 }', "greater than or equal to 1"),
        ('{ lie = "noise", liars = 1, strength = 1 }', "a strength belongs to the lie perturbed"),
        ('{ lie = "perturbed", liars = 1 }', "a strength belongs to the lie perturbed"),
        ('{ lie = "noise", liars = 1, cheks = 1 }', "unknown key 'cheks' (did you mean 'checks'?)"),
    ],
)
def test_a_lie_that_cannot_be_read_is_told_of(lie: str, said: str, tmp_path: Path) -> None:
    text = to_toml(_resolved(defenses=[{"name": "ped_sam"}]))
    file = tmp_path / "suite.toml"
    file.write_text(
        text.replace('name = "ped_sam"\n', f'name = "ped_sam"\nlies = [{lie}]\n'), encoding="utf-8"
    )
    with pytest.raises(SuiteError) as error:
        load_suite(str(file))
    assert said in str(error.value)
