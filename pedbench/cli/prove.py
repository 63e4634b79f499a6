"""`pedbench prove`: keep what a run shows of its attacks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def keep_proofs(
    run: Annotated[Path, typer.Argument(help="A run directory.")] = Path("reports/latest"),
) -> None:
    """Keep which attacks reached, in a run, the figure that they have to reach; later runs rely on it.

    The exit status is 1 when one of them did not.
    """
    from pedbench.suites.cell import canonical_json
    from pedbench.validity.attack_calibration import keep

    short = False
    for entry in keep(run):
        attack, least = entry["attack"], entry["proof"]["least"]
        reached = entry["value"] >= least
        short |= not reached
        print(
            f"{'proven' if reached else 'unproven'}: {attack['name']} {canonical_json(attack['params'])}: "
            f"{entry['proof']['metric']} {entry['value']:.3f} on {entry['n']} pictures, at least {least:g}"
        )
    if short:
        sys.exit(1)
