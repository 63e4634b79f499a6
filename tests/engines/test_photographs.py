"""Runs on real photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "folder"), [("coco", "coco"), pytest.param("folder", "photos", marks=pytest.mark.long)]
)
def test_real_photographs(run_small: Any, tmp_path: Path, name: str, folder: str) -> None:
    data = Path(__file__).parents[3] / "shared" / "data" / folder
    if not data.is_dir():
        pytest.skip(f"{data} is not there")
    dataset = {"name": name, "params": {"data": str(data)}, "limit": 2}
    done = run_small(tmp_path, report=True, dataset=dataset)
    assert {record.status for record in done.records} == {"ok"}
    report = (done.directory / "report.md").read_text()
    assert "mIoU[1 click]" in report if name == "coco" else "agreement" in report
    if name == "folder":
        agreed = done.values(done.of("on_device", "utility")[0])["value"]
        assert np.array_equal(agreed, np.ones(len(agreed)))
