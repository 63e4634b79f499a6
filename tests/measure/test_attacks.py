"""Attacks that can say nothing about a defense are skipped with their reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_an_attack_is_skipped_where_it_does_not_apply(run_small: Any, tmp_path: Path) -> None:
    done = run_small(
        tmp_path,
        attacks=["mean_colour", "read_degraded", "deblur", {"name": "completion", "read_outs": ["deblur"]}],
        defenses=[{"name": "jpeg"}, {"name": "gaussian_blur"}],
        metrics=["root_mean_square_error"],
        probes=[{"name": "faces", "attacks": ["deblur"]}],
        dataset={"name": "scenes", "params": {"count": 8, "least_faces": 1}, "limit": 1},
        utility=[],
    )
    reason = (
        "deblur: the strength of jpeg is not known, only of gaussian_blur, pixelate, dp_pixelate, downsample: "
        "measure with an attack of the family `sharpening` that knows it (docs/extend/writing_an_attack.md)"
    )
    for record in done.of("jpeg", attack="deblur"):
        assert (record.status, record.reason) == ("skipped", reason)
    chains = [record for record in done.of("jpeg", attack="completion") if "read_out" in record.cell]
    assert {(record.status, record.reason) for record in chains} == {("skipped", reason)}
    assert "ok" in {record.status for record in done.of("gaussian_blur", attack="deblur")}
    assert {record.status for record in done.of("jpeg", attack="read_degraded")} == {"ok"}
