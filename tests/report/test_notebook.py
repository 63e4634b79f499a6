"""The notebook that recomputes the first table, executed on a made-up run, against the report's numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pedbench.report.numbers.combined import combined
from pedbench.results.run import load

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "first_table.ipynb"


@pytest.mark.slow
def test_notebook_and_report_agree(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = request.getfixturevalue("made").directory
    monkeypatch.setenv("PEDBENCH_RUN", str(directory))
    names: dict[str, Any] = {}
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), names)
    table: pd.DataFrame = names["table"]
    run = load(directory)
    columns = {
        "mIoU": "utility",
        "retention": "retention",
        "leakage[RMSE]": "leakage[RMSE]_c1_m3",
        "leakage[SSIM]": "leakage[SSIM]_c1_m3",
        "wall, measured": "wall_p50",
    }
    rows = combined(run).set_index("defense")
    for label, identity in run.defenses.items():
        key = identity["name"] + json.dumps(dict(identity["params"]), sort_keys=True)
        for column, name in columns.items():
            expected = float(rows[f"{name}_value"][label])
            if pd.notna(expected):
                assert table.loc[key, column] == pytest.approx(expected, rel=1e-12), (label, column)
    assert table["leakage[RMSE]"].notna().sum() == 4
