"""Notebooks run from their first cell to their last as they are, and say what is so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "docs" / "notebooks"

CHECKS = {
    "first_study": """
assert result.ok, result.problems
assert [label.split("(")[0] for label in leakage.index] == ["on_device", "full_offload", "ped_sam", "ped_sam"]
assert (leakage.loc["full_offload"].max(), leakage.loc["on_device"].max()) == (1, 0)
assert leakage.loc["ped_sam(servers=5)"].max() < leakage.loc["ped_sam(servers=3)"].max() < 1
assert combined["utility_value"].between(0.2, 1).all()
""",
    "write_an_attack": """
assert result.ok, result.problems
assert (guess[seen] == frame[seen]).all()
assert leakage.loc["mirror_fill"].notna().all()
""",
    "compare_two_defenses": """
assert result.ok, result.problems
assert (utility_difference["pictures"], leakage_difference["pictures"]) == (4, 4)
for each in (utility_difference, leakage_difference):
    assert each["low"] <= each["difference"] <= each["high"]
""",
}
"""Statement that holds after the last cell."""


def test_notebooks_keep_no_output_and_each_is_executed() -> None:
    found = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))["cells"] for path in NOTEBOOKS.glob("*.ipynb")
    }
    assert found.keys() == {*CHECKS, "first_table"}
    assert not any(cell.get("outputs") for cells in found.values() for cell in cells)


@pytest.mark.long
@pytest.mark.parametrize("name", CHECKS)
def test_a_notebook_runs_to_its_end(name: str, tmp_path: Path) -> None:
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    parts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    (tmp_path / "notebook.py").write_text("\n\n".join([*parts, CHECKS[name]]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "notebook.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
