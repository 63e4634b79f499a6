"""Two made-up runs side by side, whose differences are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pedbench.cli.compare import compare_runs
from pedbench.report.numbers.side_by_side import side_by_side
from pedbench.report.tables.side_by_side import side_table
from tests.report.made_defenses import REFERENCE, Numbers, made_run

SPLIT = Numbers(name="split", iou=0.8, leakage=0.4, words=0.5, wall=0.1)


@pytest.mark.slow
def test_differences_are_paired_and_versions_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = made_run(tmp_path / "a", [REFERENCE, SPLIT], pictures=5)
    after = replace(SPLIT, iou=0.7, leakage=0.3, words=0.25, wall=0.3, version=2)
    changed = made_run(tmp_path / "b", [REFERENCE, after], pictures=5)
    frame = side_by_side(before, changed)
    rows = frame[frame["defense"] == "split"].set_index("measure")
    for measure, (first, second) in {
        "mIoU[1 click]": (0.8, 0.7),
        "leakage[RMSE]": (0.4, 0.3),
        "words read": (0.5, 0.25),
        "wall": (0.1, 0.3),
    }.items():
        row = rows.loc[measure]
        assert (row["first"], row["second"]) == pytest.approx((first, second))
        # Pictures differ, and pairs of them do not.
        assert (row["difference"], row["low"], row["high"]) == pytest.approx((second - first,) * 3)
    assert set(rows["versions"]) == {"1 → 2"}
    assert (frame[frame["defense"] == "whole"]["difference"] == 0).all()
    assert "0.800 → 0.700 **-0.100 [-0.100, -0.100]**" in side_table(frame).markdown()
    summary = tmp_path / "summary.md"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_STEP_SUMMARY", str(summary))
        compare_runs(before.directory, changed.directory)
    for width, count in ((80, 3), (200, 8)):
        fitted, left_out = side_table(frame).fitted(width)
        assert fitted.least_width() <= width
        assert len(fitted.columns) >= count
        assert len(fitted.columns) + len(left_out) == len(side_table(frame).columns)
    table = side_table(frame).markdown()
    assert table in summary.read_text(encoding="utf-8")
    assert table in capsys.readouterr().out
