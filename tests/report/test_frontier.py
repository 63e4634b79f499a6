"""The frontier against interpolation by hand, on made-up sweeps."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from pedbench.report.figures.drawing import plugin_looks, save
from pedbench.report.figures.frontier import frontier_figure
from pedbench.report.numbers.combined import combined
from pedbench.report.numbers.frontier import equal_leakage, frontier
from pedbench.report.outputs.terminal import console_tables
from pedbench.report.tables.frontier import EQUAL, equal_table
from pedbench.results.run import Run
from tests.report.made_defenses import REFERENCE, Numbers, made_run

FOG = ((1, 0.7, 0.9), (2, 0.6, 0.5), (3, 0.2, 0.3))
"""Depth, mIoU and leakage: at a leakage of 0.4 the line between the last two strengths is half way."""

SPLIT = ((2, 0.8, 0.4), (3, 0.78, 0.3), (9, 0.75, 0.1))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return swept_run(tmp_path_factory.mktemp("frontier") / "run")


def swept_run(directory: Path, *, doubted: str = "") -> Run:
    """Return a run of two swept defenses, one of which is studied.

    Args:
        doubted: Name of the defense on which an attack fails, so that its leakages are lower bounds.
    """
    fog = [
        Numbers(name="fog", params={"depth": d, "weights": "old"}, iou=u, leakage=x, wall=None)
        for d, u, x in FOG
    ]
    # The same messages to another network, which keeps more at one strength.
    tuned = [
        Numbers(name="fog", params={"depth": d, "weights": "new"}, iou=u, leakage=None, wall=None)
        for d, u in ((1, 0.6), (2, 0.65), (3, 0.1))
    ]
    split = [Numbers(name="split", params={"servers": n}, iou=u, leakage=x, wall=None) for n, u, x in SPLIT]
    defenses = [replace(each, failed=each.name == doubted) for each in (REFERENCE, *fog, *tuned, *split)]
    result = made_run(directory, defenses, pictures=9)
    suite = result.suite.model_copy(
        update={"compare_with": result.suite.defenses[0].model_copy(update={"name": "split"})}
    )
    return Run(directory=result.directory, suite=suite, records=result.records, missing=result.missing)


@pytest.mark.slow
def test_each_strength_has_its_best_network(run: Run) -> None:
    rows = frontier(run)
    rows = rows[(rows["measure"] == "leakage[RMSE]") & (rows["curve"] == "fog")]
    assert rows["network"].tolist() == [
        "fog(depth=1, weights=old)",
        "fog(depth=2, weights=new)",
        "fog(depth=3, weights=old)",
    ]
    assert rows["utility_value"].tolist() == pytest.approx([0.7, 0.65, 0.2])
    assert not rows["studied"].any()


def test_utility_at_equal_leakage_is_interpolated(run: Run) -> None:
    rows = equal_leakage(run)
    rows = rows[rows["measure"] == "leakage[RMSE]"].set_index("defense")
    by_hand = {2: 0.2 + 0.5 * (0.65 - 0.2), 3: 0.2}
    for servers, expected in by_hand.items():
        row = rows.loc[f"split(servers={servers})"]
        assert row["equal_value"] == pytest.approx(expected, abs=1e-6)
        assert row["gain_value"] == pytest.approx(row["utility_value"] - expected, abs=1e-6)
        # The noise is the same for both, so that it moves them together.
        assert row["equal_low"] == pytest.approx(expected, abs=1e-6)
    none = rows.loc["split(servers=9)"]
    assert np.isnan(none["equal_value"])
    assert none["least"] == pytest.approx(0.3, abs=0.02)
    assert rows["baseline"].unique().tolist() == ["fog"]
    markdown = equal_table(equal_leakage(run)).markdown()
    assert "(least 0.299)" in markdown
    assert "0.425" in markdown


@pytest.mark.slow
@pytest.mark.parametrize("doubted", ["fog", "split"])
def test_a_lower_bound_is_marked_where_it_is_one_and_nowhere_else(tmp_path: Path, doubted: str) -> None:
    run = swept_run(tmp_path / "run", doubted=doubted)
    points = frontier(run)
    assert set(points["curve"][points["bound"]]) == {doubted}
    table = equal_table(equal_leakage(run))
    texts = [
        ["".join(column.spans(cell)) for column, cell in zip(table.columns, row, strict=True)]
        for row in table.rows
        if row[1] != "words read"
    ]
    assert len(texts) == 9
    own, fog = ([column.title for column in table.columns].index(title) for title in ("at most", "fog"))
    assert all(row[own].startswith("≥ ") == (doubted == "split") for row in texts)
    assert all(("≤ " in row[fog] or "least ≥ " in row[fog]) == (doubted == "fog") for row in texts)
    drawing = frontier_figure(run, points, combined(run), plugin_looks(["fog", "split"]))
    assert drawing is not None
    white = [line for line in drawing.figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    marked = points[(points["measure"] == "leakage[RMSE]") & points["bound"]]
    assert sorted(float(np.asarray(line.get_xdata())[0]) for line in white) == sorted(marked["leakage_value"])


@pytest.mark.slow
def test_the_figure_has_a_panel_for_each_measure(run: Run, tmp_path: Path) -> None:
    drawing = frontier_figure(run, frontier(run), combined(run), plugin_looks(["fog", "split"]))
    assert drawing is not None
    titles = [axes.get_xlabel() for axes in drawing.figure.axes]
    assert titles[:3] == [f"leakage[{name}] (← better)" for name in ("RMSE", "SSIM", "LPIPS-alex")]
    labels = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert sorted(labels) == ["2", "3", "9"]
    ElementTree.parse(save(drawing, tmp_path).with_suffix(".svg"))


def test_a_run_without_sweeps_has_no_frontier(tmp_path: Path) -> None:
    result = made_run(tmp_path / "run", [REFERENCE, Numbers(name="split")], pictures=4)
    assert frontier(result).empty
    assert equal_leakage(result).empty
    assert frontier_figure(result, frontier(result), combined(result), {}) is None


@pytest.mark.slow
def test_a_narrow_terminal_shows_what_each_baseline_keeps(run: Run) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    for table in console_tables(run, 80):
        console.print(table)
    shown = stream.getvalue().partition(EQUAL)[2]
    assert "fog ↑" in shown
    kept = equal_leakage(run)["equal_value"].dropna()
    assert len(kept) > 3
    assert all(f"{value:.3f}" in shown for value in kept)
