"""Runs on a device that is not called `cpu`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pedbench.engines.local import Local


@pytest.mark.long
def test_models_compute_on_the_device_that_is_asked_for(run_small: Any, tmp_path: Path) -> None:
    """`cpu:0` computes on the CPU, but is treated like an accelerator: attackers load models in each fork."""
    changes: dict[str, Any] = {
        "attacks": ["mean_colour", "vitmae"],
        "metrics": ["root_mean_square_error"],
        "dataset": {"name": "scenes", "params": {"count": 8}, "limit": 2},
    }
    plain = run_small(tmp_path / "plain", **changes)
    indexed = run_small(tmp_path / "indexed", engine=Local("cpu:0"), **changes)
    assert {record.provenance["device"] for record in indexed.records} == {"cpu:0"}
    for one, other in zip(plain.records, indexed.records, strict=True):
        assert one.cell_id == other.cell_id
        assert one.status == other.status == "ok"
        if one.cell["kind"] != "latency":
            pd.testing.assert_frame_equal(plain.values(one), indexed.values(other))
