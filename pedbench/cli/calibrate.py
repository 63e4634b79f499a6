"""`pedbench calibrate`: store the scores that attacks reached on defenses known to leak."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def keep_calibrations(
    run: Annotated[Path, typer.Argument(help="A run directory.")] = Path("reports/latest"),
) -> None:
    """Store which attacks reached their declared score.

    Later runs read the stored scores. The exit status is 1 if an attack did not reach its score.
    """
    from pedbench.report.words.text import flat
    from pedbench.suites.cell import canonical_json
    from pedbench.validity.calibration import DECLARED, keep

    all_reached = True
    for entry in keep(run):
        attack, least = entry["attack"], entry[DECLARED]["least"]
        reached = entry["value"] >= least
        all_reached &= reached
        verdict = (
            f"{'proven' if reached else 'unproven'}: {attack['name']} {canonical_json(attack['params'])}: "
        )
        score = (
            f"{entry[DECLARED]['metric']} {entry['value']:.3f} on {entry['n']} pictures, at least {least:g}"
        )
        print(flat(verdict + score))
    if not all_reached:
        sys.exit(1)
