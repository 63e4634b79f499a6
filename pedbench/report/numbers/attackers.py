"""Attackers: the data and training of each attack, its time, and whether it is calibrated."""

from __future__ import annotations

from statistics import median
from typing import Any

import pandas as pd

from pedbench.results.run import Run
from pedbench.suites.cell import canonical_json
from pedbench.validity.calibration import Verdict, verdicts

COLUMNS = ["attack", "floor", "knowledge", "seconds", "figure", "reached", "proven", "n"]


def attackers(run: Run) -> pd.DataFrame:
    """Return one row an attack, in the order of the plan.

    Returns:
        Columns `COLUMNS`: seconds is the median over cells of the mean time for one view, on a shared host; figure
        is what the attack must reach and reached what is known of it, both in words; n is the largest number of
        pictures that it guessed of a defense.
    """
    calibrations = verdicts(run)
    groups: dict[str, list[Any]] = {}
    for record in run.of_kind("privacy"):
        if record.attacker:
            groups.setdefault(canonical_json(record.cell["attack"]), []).append(record)
    rows = []
    for key, records in groups.items():
        verdict = calibrations.get(key, Verdict(proven=True, figure="", reached=""))
        times = [record.timing["one guess"] for record in records if "one guess" in record.timing]
        rows.append(
            {
                "attack": run.attacks[key],
                "floor": records[0].attacker["floor"],
                "knowledge": records[0].attacker["knowledge"],
                "seconds": median(times) if times else None,
                "figure": verdict.figure,
                "reached": verdict.reached,
                "proven": verdict.proven,
                "n": max((metric.n for record in records for metric in record.metrics), default=0),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS).astype({"seconds": "float64"})
