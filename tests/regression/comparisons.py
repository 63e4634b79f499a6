"""Comparisons of run directories that are made of given values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.regression.compare import compare
from pedbench.regression.measured import Measured, measured_run
from pedbench.regression.tolerance import Kind, Tolerance, Tolerances
from pedbench.regression.verdicts import Line
from tests.regression.runs import UTILITY, Made, utility, write_run

OBJECTS = np.random.default_rng(3).uniform(0.3, 0.95, (8, 6))
"""IoU of six objects in each of eight pictures."""


def compared(
    folder: Path, base: Sequence[Made], new: Sequence[Made], *, planned: Any = (), tolerance: float = 0.0
) -> list[Line]:
    accepted = measured_run(write_run(folder / "base", base))
    run = measured_run(write_run(folder / "new", new, planned))
    kinds = {
        Kind("utility", "mIoU[1 click]", "all"): Tolerance(repeats=tolerance / 4, levels=tolerance / 2),
        Kind("privacy", "leakage[RMSE]", "whole"): Tolerance(repeats=tolerance / 2, levels=0.0),
    }
    accepted = Measured(
        run=accepted.run, values=accepted.values, tolerances=Tolerances(measured=kinds if tolerance else {})
    )
    return compare(accepted, run)


def line_of(lines: Sequence[Line], metric: str) -> Line:
    regions = ("", "all", "whole", "end to end")
    (line,) = (line for line in lines if line.metric == metric and line.region in regions)
    return line


def shifted(folder: Path, shift: Any, tolerance: float = 0.004) -> Line:
    """Compare IoU of all objects with the same after a shift."""
    base, new = ([Made(cell=UTILITY, values=utility(ious))] for ious in (OBJECTS, OBJECTS + shift))
    return line_of(compared(folder, base, new, tolerance=tolerance), "mIoU[1 click]")
