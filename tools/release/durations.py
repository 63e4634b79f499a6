"""Ship how long a run's defenses took: `python -m tools.release.durations RUN`.

Replaces the rows of the run's suite, with as many attacks, in `pedbench/engines/durations.csv`, from which other
machines expect their times.
Take a whole run on a machine that does nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from pedbench.engines import time_left
from pedbench.engines.time_left import FILE
from pedbench.results.run import load

SHIPPED = Path(time_left.__file__).with_name("durations.csv")


def main(run_dir: Path, shipped: Path = SHIPPED) -> None:
    """Write the run's times.

    Args:
        run_dir: Folder of the run.
        shipped: The table with the columns suite, attacks, defense, part, pictures, seconds.
    """
    suite = load(run_dir).suite
    jobs = pd.read_csv(run_dir / FILE)
    sums = jobs.groupby(["defense", "part"], sort=False)[["pictures", "seconds"]].sum().round(1).reset_index()
    sums.insert(0, "suite", suite.name)
    sums.insert(1, "attacks", len(suite.attacks))
    known = pd.read_csv(shipped)
    replaced = (known["suite"] == suite.name) & (known["attacks"] == len(suite.attacks))
    pd.concat([known[~replaced], sums]).to_csv(shipped, index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
