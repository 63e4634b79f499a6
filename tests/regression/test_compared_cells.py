"""Cells of two runs: which are compared, and what keeps the others from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.metrics.root_mean_square_error import RootMeanSquareError
from pedbench.regression.compare import compare
from pedbench.regression.measured import measured_run
from pedbench.suites.cell import PluginIdentity
from tests.regression.comparisons import OBJECTS, compared, line_of
from tests.regression.runs import ATTACKED, FLOOR, UTILITY, Made, attacked, utility, write_run


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
    attack = Made(cell=ATTACKED, values=attacked(np.linspace(0.3, 0.6, 8)))
    accepted = measured_run(write_run(tmp_path / "1", [attack]))
    monkeypatch.setattr(RootMeanSquareError, "version", 7)
    run = measured_run(write_run(tmp_path / "2", [attack]))
    line = line_of(compare(accepted, run), "leakage[RMSE]")
    assert (line.verdict, line.note) == ("not comparable", "metric: version 1 -> 7")


def test_a_changed_parameter_is_named(tmp_path: Path) -> None:
    changed = replace(UTILITY, defense=replace(UTILITY.defense, params={"sigma": 0.04}))
    same = Made(
        cell=replace(UTILITY, defense=PluginIdentity(name="none", version=1)), values=utility(OBJECTS)
    )
    base, new = ([same, Made(cell=cell, values=utility(OBJECTS))] for cell in (UTILITY, changed))
    labels = {line.defense for line in compared(tmp_path, base, new) if line.verdict in ("missing", "new")}
    assert labels == {"blur(sigma=0.02)", "blur(sigma=0.04)"}
