"""The parts of a report, as a console shows them."""

from __future__ import annotations

import io
from itertools import count
from pathlib import Path

import pytest

from pedbench.host.console import Console
from pedbench.report.outputs.writing import write_report
from tests.report.made_defenses import Numbers, made_run

pytestmark = pytest.mark.slow


def test_a_console_names_the_part_that_is_written(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", [Numbers(name="whole", leakage=None, wall=None)])
    stream, seconds = io.StringIO(), count(step=3.0)
    write_report(run, console=Console(stream, lambda: next(seconds)))
    parts = [line.split(": done")[0] for line in stream.getvalue().splitlines()]
    assert parts == ["report: numbers", "report: tables", "report: figures", "report: page"]
