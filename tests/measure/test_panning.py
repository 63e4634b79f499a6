"""A camera that pans, from the dataset to the scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PANNING = {"name": "panning_scenes", "params": {"count": 8}, "limit": 2}
ATTACKS = ["nearest_pixel", {"name": "accumulate"}, {"name": "accumulate", "params": {"requests": 2}}]


@pytest.mark.long
def test_fixed_windows_see_more_of_a_scene_that_passes_by(run_small: Any, tmp_path: Path) -> None:
    done = run_small(tmp_path, dataset=PANNING, defenses=[{"name": "ped_sam"}], attacks=ATTACKS)
    assert all(record.status == "ok" for record in done.of("ped_sam")), done.said
    leakage = {}
    for record in done.of("ped_sam", "privacy"):
        if "attack" in record.cell and record.cell["coalition"]["c"] == 1:
            values = done.values(record)
            chosen = values[(values["metric"] == "leakage[RMSE]") & (values["region"] == "whole")]
            leakage[record.cell["attack"]["name"], record.cell["requests"]] = chosen["value"].mean()
    once, twice, often = (
        leakage[key] for key in (("nearest_pixel", 1), ("accumulate", 2), ("accumulate", 4))
    )
    assert once + 0.03 < twice
    assert twice + 0.03 < often


@pytest.mark.slow
def test_an_attack_that_asks_for_more_requests_than_there_are_pictures_is_told_so(
    run_small: Any, tmp_path: Path
) -> None:
    dataset = PANNING | {"params": {"count": 8, "length": 2}, "limit": 1}
    done = run_small(tmp_path, dataset=dataset, defenses=[{"name": "ped_sam"}], attacks=[*ATTACKS[:2]])
    assert "moves and has 2 pictures, request 3 is asked for" in done.said
