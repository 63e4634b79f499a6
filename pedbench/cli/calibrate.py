"""`pedbench calibrate`: keep what a run shows of its attacks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def keep_calibrations(
    run: Annotated[Path, typer.Argument(help="A run directory.")] = Path("reports/latest"),
) -> None:
    """Store which attacks reached their declared score.

    Later runs rely on it. The exit status is 1 when one of them did not.
    """
    from pedbench.suites.cell import canonical_json
    from pedbench.validity.calibration import DECLARED, keep

    short = False
    for entry in keep(run):
        attack, least = entry["attack"], entry[DECLARED]["least"]
        reached = entry["value"] >= least
        short |= not reached
        print(
            f"{'proven' if reached else 'unproven'}: {attack['name']} {canonical_json(attack['params'])}: "
            f"{entry['proof']['metric']} {entry['value']:.3f} on {entry['n']} pictures, at least {least:g}"
        )
    if short:
        sys.exit(1)
