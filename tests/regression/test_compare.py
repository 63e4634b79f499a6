"""Verdicts on runs whose differences are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pedbench.regression.measured import measured_run
from pedbench.regression.tolerance import Kind, Tolerances, measure
from pedbench.suites.cell import PluginIdentity
from tests.regression.comparisons import OBJECTS, compared, line_of, shifted
from tests.regression.runs import ATTACKED, LATENCY, UTILITY, Made, attacked, timed, utility, write_run


def test_a_drop_by_three_points_is_worse_and_a_gain_is_better(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.03, OBJECTS.shape)
    noise -= noise.mean()
    drop, gain = shifted(tmp_path / "1", noise - 0.03), shifted(tmp_path / "2", noise + 0.03)
    assert (drop.verdict, gain.verdict) == ("worse", "better")
    assert drop.fails
    assert gain.fails
    assert drop.difference == pytest.approx(-0.03)
    assert drop.ci95 is not None
    assert drop.ci95[0] < -0.03 < drop.ci95[1] < 0
    assert (drop.n, drop.tolerance) == (8, 0.004)


def test_what_stays_within_the_tolerance_is_the_same(tmp_path: Path) -> None:
    assert shifted(tmp_path / "1", -0.0039).verdict == "same"
    assert shifted(tmp_path / "2", -0.0041).verdict == "worse"
    assert shifted(tmp_path / "3", 0.0).verdict == "same"
    # Without a measured tolerance, masks may tip over, and all else is rounded.
    assert shifted(tmp_path / "4", 0.9e-3, tolerance=0).verdict == "same"
    assert shifted(tmp_path / "5", -1.1e-3, tolerance=0).verdict == "worse"
    for shift, verdict in ((0.9e-5, "same"), (1.1e-5, "worse")):
        base, new = ([Made(cell=ATTACKED, values=attacked(np.full(8, 0.5) + each))] for each in (0, shift))
        assert line_of(compared(tmp_path / str(shift), base, new), "leakage[RMSE]").verdict == verdict


def test_pictures_that_disagree_settle_nothing(tmp_path: Path) -> None:
    shifts = np.zeros((8, 6))
    shifts[:4], shifts[4:] = 0.1, -0.12
    line = shifted(tmp_path / "1", shifts)
    assert line.verdict == "unclear"
    assert not line.fails
    # One picture alone cannot move an interval away from 0, but nothing speaks against it either.
    shifts[:] = 0
    shifts[2] = -0.2
    alone = shifted(tmp_path / "2", shifts)
    assert alone.verdict == "worse"
    assert alone.ci95 is not None
    assert alone.ci95[1] == 0


def test_more_private_fails_too(tmp_path: Path) -> None:
    leaks = np.linspace(0.3, 0.6, 8)
    for number, (shift, verdict) in enumerate(((0.05, "worse"), (-0.05, "better"), (0.0, "same"))):
        base, new = ([Made(cell=ATTACKED, values=attacked(each))] for each in (leaks, leaks + shift))
        line = line_of(compared(tmp_path / str(number), base, new, tolerance=0.01), "leakage[RMSE]")
        assert (line.verdict, line.fails) == (verdict, verdict != "same")
        assert line.base == pytest.approx(leaks.mean())


def test_a_lost_picture_is_not_averaged_away(tmp_path: Path) -> None:
    base, new = Made(cell=UTILITY, values=utility(OBJECTS)), Made(cell=UTILITY, values=utility(OBJECTS[:7]))
    line = line_of(compared(tmp_path, [base], [new]), "mIoU[1 click]")
    assert (line.verdict, line.n) == ("missing", 7)
    assert line.note == "of 48 values 6 are missing and 0 are new"


@pytest.mark.parametrize(
    ("pictures", "seconds", "verdict"),
    [(20, 0.29, "same"), (20, 0.31, "worse"), (20, 0.03, "better"), (19, 0.31, "not judged")],
)
def test_times_count_as_ratios_within_one_run(
    tmp_path: Path, pictures: int, seconds: float, verdict: str
) -> None:
    reference = replace(LATENCY, defense=PluginIdentity(name="full_offload", version=1))
    # The machine of the second run is three times as slow.
    base = [
        Made(cell=reference, values=timed(0.2, pictures)),
        Made(cell=LATENCY, values=timed(0.1, pictures)),
    ]
    new = [
        Made(cell=reference, values=timed(0.6, pictures)),
        Made(cell=LATENCY, values=timed(3 * seconds, pictures)),
    ]
    lines = compared(tmp_path, base, new)
    line = line_of(lines, "wall p50 / that of full_offload")
    assert (line.verdict, line.defense) == (verdict, "blur")
    assert line.base == pytest.approx(0.5)
    assert line.new == pytest.approx(seconds / 0.2)
    assert {line.verdict for line in lines if line.metric.startswith("bytes")} == {"same"}


def test_flags_and_tails_are_told_and_not_judged(tmp_path: Path) -> None:
    leaks = np.linspace(0.3, 0.6, 8)
    widened = leaks + np.array([-0.05, 0, 0, 0, 0, 0, 0, 0.05])
    base = [Made(cell=ATTACKED, values=attacked(leaks), flags=("few pictures",))]
    new = [Made(cell=ATTACKED, values=attacked(widened), flags=("few pictures", "unexplained bytes"))]
    lines = compared(tmp_path, base, new)
    assert {(line.metric, line.note) for line in lines if line.verdict == "not judged"} == {
        ("leakage[RMSE], p90", ""),
        ("leakage[RMSE], worst", ""),
        ("flags", "+ unexplained bytes"),
    }
    assert not any(line.fails for line in lines)


def test_tolerances_are_the_ranges_that_repeats_show(tmp_path: Path) -> None:
    other = {"cpu_capability": "DEFAULT"}
    split = replace(UTILITY, defense=PluginIdentity(name="split", version=1))
    runs = []
    for number, (blurred, cut, machine) in enumerate(
        ((0.0, 0.001, {}), (0.002, 0.001, {}), (-0.004, 0.004, other))
    ):
        cells = [
            Made(cell=UTILITY, values=utility(OBJECTS + blurred), provenance=machine),
            Made(cell=split, values=utility(OBJECTS + cut), provenance=machine),
        ]
        runs.append(measured_run(write_run(tmp_path / str(number), cells)).run.records)
    tolerances = measure([{record.cell_id: record for record in records} for records in runs])
    found = tolerances.measured[Kind("utility", "mIoU[1 click]", "all")]
    # The largest over defenses: 0 and 0.002 here, from -0.004 to 0.002 with the others.
    assert found.repeats == pytest.approx(0.002)
    assert found.levels == pytest.approx(0.006)
    assert Tolerances.from_json(tolerances.to_json()) == tolerances
