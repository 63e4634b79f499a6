"""The output of `pedbench plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pedbench.cli import main

CLUMSY = Path(__file__).parents[1] / "measure" / "plugins" / "clumsy.py"


def test_a_plan_counts_cells_and_divides_the_time(small_run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(
            [
                *("plan", str(small_run.directory / "suite.toml"), "--workers", "2"),
                *("--attack", "mean_colour", "--attack", "clumsy(fault=batches)", "--plugin", str(CLUMSY)),
            ]
        )
    assert exited.value.code == 0
    printed = capsys.readouterr().out
    assert f"{len(small_run.records)} cells: 4 of utility, 8 of received data, 16 of attacks" in printed
    assert "divided by 2 workers" in printed
    assert "memory of the suite: at most" in printed
