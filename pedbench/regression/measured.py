"""A run or a baseline as it is compared, with the values of its judged numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pedbench.regression.judged_numbers import judged_values
from pedbench.regression.tolerance import Tolerances
from pedbench.results.records import Record
from pedbench.results.run import Run, load


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A run or a baseline.

    Attributes:
        values: The values of a record's judged numbers, as `judged_values` gives them.
        tolerances: Of a baseline; a run alone has measured none.
    """

    run: Run
    values: Callable[[Record], pd.DataFrame]
    tolerances: Tolerances = field(default_factory=Tolerances)


def measured_run(run_dir: Path) -> Measured:
    """Read what a run directory measured.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: A file of the run cannot be understood.
    """
    run = load(run_dir)
    return Measured(run=run, values=lambda record: judged_values(record, run.values(record.cell_id)))
