"""The output of `pedbench plan`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pedbench.cli import main
from pedbench.suites.cost import Forecast

CLUMSY = Path(__file__).parents[1] / "measure" / "plugins" / "clumsy.py"


def plan(run: Any, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    with pytest.raises(SystemExit) as exited:
        main(
            [
                *("plan", str(run.directory / "suite.toml"), "--workers", "2", *options),
                *("--attack", "mean_colour", "--attack", "clumsy(fault=batches)", "--plugin", str(CLUMSY)),
            ]
        )
    assert exited.value.code == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_a_plan_counts_cells_and_divides_the_time(small_run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    printed = plan(small_run, capsys)
    assert f"{len(small_run.records)} cells: 4 of utility, 8 of received data, 16 of attacks" in printed
    assert "divided by 2 workers" in printed
    assert "memory of the suite: at most" in printed


def test_a_plan_is_json_on_request(
    small_run: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = Forecast(passes=7, encode=1.0, objects=10.0, segment=0.1, peak=10**9, servers=5)
    monkeypatch.setattr("pedbench.suites.cost.forecast", lambda *_: costs)
    monkeypatch.setattr("pedbench.cli.doctor_suite.cores", lambda: 2)
    found = json.loads(plan(small_run, capsys, "--json"))
    labels = found.pop("defenses")
    assert [label.partition("(")[0] for label in labels] == [
        *("on_device", "full_offload", "ped_sam", "random_payload")
    ]
    assert found == {
        "schema": 1,
        "suite": "small",
        "version": 1,
        "dataset": "scenes",
        "pictures": 4,
        "attacks": 2,
        "probes": 0,
        "cells": {"utility": 4, "received data": 8, "attacks": 16, "latency": 4},
        "passes": 7,
        "seconds": 4.0,
        "memory_bytes": 8 * 10**9,
    }
