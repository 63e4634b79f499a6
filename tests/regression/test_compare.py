"""Verdicts on runs whose differences are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.metrics.root_mean_square_error import RootMeanSquareError
from pedbench.regression.compare import compare
from pedbench.regression.judged_numbers import is_judged
from pedbench.regression.measured import Measured, measured_run
from pedbench.regression.tolerance import Kind, Tolerance, Tolerances, measure
from pedbench.regression.verdicts import Line
from pedbench.suites.cell import PluginIdentity
from tests.regression.runs import (
    ATTACKED,
    FLOOR,
    GEOMETRY,
    IMAGES,
    LATENCY,
    READ,
    UTILITY,
    Made,
    attacked,
    timed,
    utility,
    write_run,
)  # fmt: skip

OBJECTS = np.random.default_rng(3).uniform(0.3, 0.95, (8, 6))
"""IoU of six objects in each of eight pictures."""


def compared(
    folder: Path, base: Sequence[Made], new: Sequence[Made], *, planned: Any = (), tolerance: float = 0.0
) -> list[Line]:
    accepted = measured_run(write_run(folder / "base", base))
    run = measured_run(write_run(folder / "new", new, planned))
    kinds = {
        Kind("utility", "mIoU[1 click]", "all"): Tolerance(repeats=tolerance / 4, levels=tolerance / 2),
        Kind("privacy", "leakage[RMSE]", "whole"): Tolerance(repeats=tolerance / 2, levels=0.0),
    }
    accepted = Measured(
        run=accepted.run, values=accepted.values, tolerances=Tolerances(measured=kinds if tolerance else {})
    )
    return compare(accepted, run)


def of(lines: Sequence[Line], metric: str) -> Line:
    regions = ("", "all", "whole", "end to end")
    (line,) = (line for line in lines if line.metric == metric and line.region in regions)
    return line


def shifted(folder: Path, by: Any, tolerance: float = 0.004) -> Line:
    """What becomes of a shift of every object's IoU."""
    base, new = ([Made(cell=UTILITY, values=utility(ious))] for ious in (OBJECTS, OBJECTS + by))
    return of(compared(folder, base, new, tolerance=tolerance), "mIoU[1 click]")


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
    for by, verdict in ((0.9e-5, "same"), (1.1e-5, "worse")):
        base, new = ([Made(cell=ATTACKED, values=attacked(np.full(8, 0.5) + each))] for each in (0, by))
        assert of(compared(tmp_path / str(by), base, new), "leakage[RMSE]").verdict == verdict


def test_pictures_that_disagree_settle_nothing(tmp_path: Path) -> None:
    by = np.zeros((8, 6))
    by[:4], by[4:] = 0.1, -0.12
    line = shifted(tmp_path / "1", by)
    assert line.verdict == "unclear"
    assert not line.fails
    # One picture alone cannot move an interval away from 0, but nothing speaks against it either.
    by[:] = 0
    by[2] = -0.2
    alone = shifted(tmp_path / "2", by)
    assert alone.verdict == "worse"
    assert alone.ci95 is not None
    assert alone.ci95[1] == 0


def test_more_private_fails_too(tmp_path: Path) -> None:
    leaks = np.linspace(0.3, 0.6, 8)
    for number, (by, verdict) in enumerate(((0.05, "worse"), (-0.05, "better"), (0.0, "same"))):
        base, new = ([Made(cell=ATTACKED, values=attacked(each))] for each in (leaks, leaks + by))
        line = of(compared(tmp_path / str(number), base, new, tolerance=0.01), "leakage[RMSE]")
        assert (line.verdict, line.fails) == (verdict, verdict != "same")
        assert line.base == pytest.approx(leaks.mean())


def test_a_lost_picture_is_not_averaged_away(tmp_path: Path) -> None:
    base, new = Made(cell=UTILITY, values=utility(OBJECTS)), Made(cell=UTILITY, values=utility(OBJECTS[:7]))
    line = of(compared(tmp_path, [base], [new]), "mIoU[1 click]")
    assert (line.verdict, line.n) == ("missing", 7)
    assert line.note == "of 48 values 6 are missing and 0 are new"


def test_what_became_of_whole_cells(tmp_path: Path) -> None:
    others = [
        replace(UTILITY, defense=PluginIdentity(name=name, version=1))
        for name in ("gone", "unfinished", "breaks", "skips", "skipped", "heals", "fine")
    ]
    gone, unfinished, breaks, skips, skipped, heals, fine = others
    values = utility(OBJECTS)
    base = [Made(cell=cell, values=values) for cell in (gone, unfinished, breaks, skips, fine)]
    base += [Made(cell=cell, status="skipped", reason="no tokens") for cell in (skipped, heals)]
    new = [
        Made(cell=breaks, status="failed", reason="server 1 died"),
        Made(cell=skips, status="skipped", reason="no library"),
        Made(cell=skipped, status="skipped", reason="no tokens"),
        *(Made(cell=cell, values=values) for cell in (heals, fine, UTILITY)),
    ]
    lines = compared(tmp_path, base, new, planned=[unfinished])
    whole = {line.defense: (line.verdict, line.note) for line in lines if not line.metric}
    assert whole == {
        "gone": ("missing", "the run has no such cell"),
        "unfinished": ("missing", "the run has not come to it"),
        "breaks": ("failed", "server 1 died"),
        "skips": ("skipped", "no library"),
        "skipped": ("same", ""),
        "heals": ("not comparable", "it was skipped in the baseline: no tokens"),
        "blur": ("new", ""),
    }
    assert {line.verdict for line in lines if line.defense == "fine"} == {"same"}


def test_what_keeps_cells_from_being_compared_is_named(tmp_path: Path) -> None:
    values, leaks = utility(OBJECTS), attacked(np.linspace(0.3, 0.6, 8))
    split = replace(UTILITY, defense=PluginIdentity(name="split", version=3, params={"servers": 3}))
    grown = replace(split, defense=PluginIdentity(name="split", version=4, params={"servers": 3, "chunk": 0}))
    reader = replace(ATTACKED, attack=PluginIdentity(name="reader", version=1))
    base = [
        Made(cell=UTILITY, values=values),
        Made(cell=split, values=values),
        Made(cell=replace(split, seed=1), values=values),
        Made(cell=ATTACKED, values=leaks, floor=True),
        Made(cell=reader, values=leaks),
    ]
    floor = replace(FLOOR, version=2)
    new = [
        Made(cell=replace(UTILITY, weights="1" * 64), values=values),
        Made(cell=grown, values=values),
        Made(cell=replace(split, seed=1), values=values),
        Made(cell=replace(ATTACKED, attack=floor, floors="1" * 12), values=leaks, floor=True),
        Made(cell=replace(reader, floors="1" * 12), values=leaks),
    ]
    lines = [line for line in compared(tmp_path, base, new) if not line.metric]
    assert {line.verdict for line in lines} == {"not comparable"}
    assert [line.note for line in lines] == [
        "weights: 000000000000 -> 111111111111",
        "defense split: version 3 -> 4; defense split: parameter chunk none -> 0",
        "attack floor: version 1 -> 2; floors: floor version 1 -> 2",
        "floors: floor version 1 -> 2",
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"selection": "1" * 12}, "its selection of pictures is 111111111111, not 000000000000"),
        ({"revision": "2"}, "its dataset revision is 2, not 1"),
        ({"protocol": "saf: 1"}, "has no cell in common with .* Compare runs of one suite"),
    ],
)
def test_runs_about_other_things_are_refused(tmp_path: Path, changes: Any, sentence: str) -> None:
    base, new = (
        [Made(cell=cell, values=utility(OBJECTS))] for cell in (UTILITY, replace(UTILITY, **changes))
    )
    with pytest.raises(ValueError, match=sentence):
        compared(tmp_path, base, new)


def test_a_metric_of_another_version_is_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(cell=ATTACKED, values=attacked(np.linspace(0.3, 0.6, 8)))
    accepted = measured_run(write_run(tmp_path / "1", [made]))
    monkeypatch.setattr(RootMeanSquareError, "version", 7)
    run = measured_run(write_run(tmp_path / "2", [made]))
    line = of(compare(accepted, run), "leakage[RMSE]")
    assert (line.verdict, line.note) == ("not comparable", "metric: version 1 -> 7")


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
    line = of(lines, "wall p50 / that of full_offload")
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
    for number, (here, by, there) in enumerate(
        ((0.0, 0.001, {}), (0.002, 0.001, {}), (-0.004, 0.004, other))
    ):
        cells = [
            Made(cell=UTILITY, values=utility(OBJECTS + here), provenance=there),
            Made(cell=split, values=utility(OBJECTS + by), provenance=there),
        ]
        runs.append(measured_run(write_run(tmp_path / str(number), cells)).run.records)
    tolerances = measure([{record.cell_id: record for record in records} for records in runs])
    found = tolerances.measured[Kind("utility", "mIoU[1 click]", "all")]
    # The largest over defenses: 0 and 0.002 here, from -0.004 to 0.002 with the others.
    assert found.repeats == pytest.approx(0.002)
    assert found.levels == pytest.approx(0.006)
    assert Tolerances.from_json(tolerances.to_json()) == tolerances


def claimed() -> pd.DataFrame:
    rows = []
    for index, image in enumerate(IMAGES):
        for secret in range(1 + index % 3):
            rows.append((image, secret, "", "words read[undefended]", 1.0))
            for servers, value in (("0", float(index % 2)), ("1", 0.0)):
                rows.append((image, secret, servers, "words read[tiles]", value))
    return pd.DataFrame(rows, columns=["image", "annotation", "servers", "metric", "value"])


def geometry() -> pd.DataFrame:
    rows = []
    for index, image in enumerate(IMAGES):
        rows += [(image, -1, servers, "visible share", 0.1 * index / 2, "") for servers in ("0", "1")]
        rows += [(image, number, "", "exposure", 0.3 * number, "SML"[number]) for number in range(3)]
        rows += [
            (image, number, "", "secret exposure", 0.5 * number, "text") for number in range(1 + index % 2)
        ]
    return pd.DataFrame(rows, columns=["image", "annotation", "servers", "metric", "value", "tag"])


def test_judged_values_are_those_behind_the_numbers(tmp_path: Path, small_run: Any) -> None:
    made = [
        Made(cell=UTILITY, values=utility(OBJECTS)),
        Made(cell=GEOMETRY, values=geometry()),
        Made(cell=ATTACKED, values=attacked(np.linspace(0.3, 0.6, 8))),
        Made(cell=READ, values=claimed()),
        Made(cell=LATENCY, values=timed(0.1)),
    ]
    judged: dict[str, int] = {}
    for directory in (write_run(tmp_path / "run", made), small_run.directory):
        measured = measured_run(directory)
        for record in measured.run.records:
            values = measured.values(record)
            for metric in record.metrics:
                rows = values[(values["metric"] == metric.name) & (values["region"] == metric.region)]
                assert len(rows) == 0 or is_judged(record.cell, metric)
                if is_judged(record.cell, metric):
                    judged[metric.name] = judged.get(metric.name, 0) + 1
                    assert rows["value"].mean() == pytest.approx(metric.value, rel=1e-12, abs=1e-12)
                    assert not rows.duplicated(["image", "annotation"]).any()
                    assert rows["image"].nunique() == metric.n
    assert {"mIoU[1 click]", "visible share", "exposure 100 %", "secret exposure > 0 %"} <= judged.keys()
    assert {
        "leakage[RMSE]",
        "advantage[SSIM]",
        "words read[tiles]",
        "words read[undefended]",
    } <= judged.keys()
    assert {"bytes up", "bytes down"} <= judged.keys()
    assert not any(name.endswith((" p50", ", p90", ", per picture")) or name == "RMSE" for name in judged)


def test_a_changed_parameter_is_named(tmp_path: Path) -> None:
    changed = replace(UTILITY, defense=replace(UTILITY.defense, params={"sigma": 0.04}))
    same = Made(
        cell=replace(UTILITY, defense=PluginIdentity(name="none", version=1)), values=utility(OBJECTS)
    )
    base, new = ([same, Made(cell=cell, values=utility(OBJECTS))] for cell in (UTILITY, changed))
    labels = {line.defense for line in compared(tmp_path, base, new) if line.verdict in ("missing", "new")}
    assert labels == {"blur(sigma=0.02)", "blur(sigma=0.04)"}
