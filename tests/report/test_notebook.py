"""The notebook that recomputes the first table, executed on runs, against all numbers of the report's first table."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pedbench.report.numbers.combined import measures_of, rules_of
from pedbench.report.numbers.first_table import DISTANCES, FAMILIES, first_table
from pedbench.results.run import Run, load
from tests.report.made_defenses import REFERENCE, Numbers, made_run

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "first_table.ipynb"


def recomputed(directory: Path) -> pd.DataFrame:
    """Return the last table of the notebook about a run."""
    names: dict[str, Any] = {}
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "PEDBENCH_RUN", str(directory))
        for cell in cells:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), names)
    table: pd.DataFrame = names["table"]
    return table


def columns_of(frame: pd.DataFrame) -> dict[str, str]:
    """Return the column of the report's table by that of the notebook."""
    rule = rules_of(frame)[0]
    return {
        "mIoU": "utility_value",
        "retention": "retention_value",
        **{
            f"{family}: {each}": f"{FAMILIES[family]}_{each}_value"
            for family in FAMILIES
            for each in DISTANCES
        },
        **{measure: f"{measure}_{rule}_value" for measure in measures_of(frame)},
        "words read": f"words_read_{rule}_value",
        "faces found": f"faces_found_{rule}_value",
        "visible": f"visible_share_{rule}_value",
        "wall, measured": "wall_p50_value",
        "turn-taking, composed": "turn_taking_p50_value",
        "projected": "projected_p50_value",
        "n, utility": "utility_n",
        "n, privacy": f"{measures_of(frame)[0]}_{rule}_n",
        "n, latency": "wall_p50_n",
    }


def number(frame: pd.DataFrame, row: str, column: str) -> float:
    """Return a number of a table; NaN where it has none."""
    found: Any = frame[column].get(row) if column in frame else None
    return float("nan") if pd.isna(found) else float(found)


def agreeing(run: Run) -> set[str]:
    """Assert that notebook and report agree, and return the columns that have numbers."""
    rows, table = first_table(run).set_index("defense"), recomputed(run.directory)
    found = set()
    for column, name in columns_of(first_table(run)).items():
        for label, identity in run.defenses.items():
            key = identity["name"] + json.dumps(dict(identity["params"]), sort_keys=True)
            mine, expected = number(table, key, column), number(rows, label, name)
            assert mine == pytest.approx(expected, rel=1e-12, nan_ok=True), (label, column)
            if expected == expected:
                found.add(column)
    return found


def test_a_run_with_everything_that_can_go_wrong(request: pytest.FixtureRequest) -> None:
    run = load(request.getfixturevalue("made").directory)
    found = agreeing(run)
    assert {"mIoU", "retention", "leakage[RMSE]", "visible", "turn-taking, composed", "n, latency"} <= found


def test_words_and_projected_times(tmp_path: Path) -> None:
    devices = '{ edge = "jetson-orin-nano", server = "rtx-3090" }'
    split = Numbers(name="split", params={"servers": 3}, words=0.5)
    found = agreeing(made_run(tmp_path / "run", [REFERENCE, split], devices=devices))
    assert {"words read", "projected", "wall, measured"} <= found
