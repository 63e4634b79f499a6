"""The suite `mini` on the device, with its controls."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pedbench.report.words.text import NOTHING, code, quantity, table
from pedbench.result import Result
from pedbench.results.run import load
from pedbench.validity.controls import controls
from tools.first_contact.setting import Setting

MOST_PROBLEMS = 10
"""Maximum number of the run's problems on the page."""

SMALL = ["--quick", "--limit", "1", "--defense", "full_offload", "--defense", "ped_sam(servers=3)"]
SMALL += ["--defense", "random_payload(servers=3)", "--attack", "mean_colour", "--attack", "completion"]
"""Options of a run that tries every part."""

_NUMBERS = {
    "mIoU": ("utility_value", ""),
    "leakage[RMSE], c=1": ("leakage[RMSE]_c1_m50_value", ""),
    "wall time": ("wall_p50_value", "s"),
}
"""Columns of the page's table: column of the combined table, and unit."""


def run_suite(folder: Path, device: str, options: Sequence[str]) -> Path:
    """Run `mini`, or continue its run in the folder, and return the run directory.

    Raises:
        RuntimeError: The run ended before its records were complete.
    """
    command = [sys.executable, "-m", "pedbench", "run", "mini", "--device", device, "--out", str(folder)]
    done = subprocess.run([*command, *options], check=False)
    # After 1 the records tell which cells or controls failed.
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pedbench run ended with exit status {done.returncode}")
    return folder / "latest"


def measure(setting: Setting) -> dict[str, Any]:
    """Run the suite, and collect its controls, its problems and some numbers of each defense."""
    start = time.monotonic()
    options = SMALL if setting.small else []
    run = load(run_suite(setting.folder / "mini", setting.device, options))
    result = Result(run)
    rows = result.table("combined").to_dict("records")
    return {
        "seconds": time.monotonic() - start,
        "pictures": run.pictures,
        "cells": Counter(record.status for record in run.records),
        "missing": len(run.missing),
        "controls": [str(control) for control in controls(run)],
        "problems": result.problems,
        "defenses": [
            {"defense": row["defense"]}
            | {
                name: row[name]
                for name, _ in _NUMBERS.values()
                if row.get(name) == row.get(name, float("nan"))
            }
            for row in rows
        ],
    }


def show(result: Mapping[str, Any]) -> str:
    """Return what the run consists of, its controls and problems, and a table of its defenses."""
    cells = ", ".join(f"{number} {status}" for status, number in result["cells"].items())
    problems = [f"- problem: {code(each)}" for each in result["problems"][:MOST_PROBLEMS]]
    more = len(result["problems"]) - MOST_PROBLEMS
    lines = [
        [code(row["defense"])]
        + [quantity(row[name], unit) if name in row else NOTHING for name, unit in _NUMBERS.values()]
        for row in result["defenses"]
    ]
    listed = [
        f"- pictures: {result['pictures']}, in {quantity(result['seconds'], 's')}",
        f"- cells: {cells}, {result['missing']} missing",
        *(f"- {each}" for each in result["controls"]),
        *(problems or ["- no problems"]),
        *([f"- and {more} more problems"] if more > 0 else []),
    ]
    return "\n".join(listed) + "\n\n" + table(["defense", *_NUMBERS], lines)
