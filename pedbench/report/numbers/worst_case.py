"""The worst case: for each picture the attack and the coalition that learn most, chosen with the truth at hand.

Nobody can choose like that, so this is a bound and no measurement of an attack. The best of many guesses is better
than one of them even where none knows anything: beside each number stands the same statistic for as many colours
drawn at random from training pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from pedbench.privacy.scoring import KNOW_NOTHING
from pedbench.results.cross_fitting import cross_fit
from pedbench.results.records import Record
from pedbench.results.run import Run
from pedbench.results.statistics import Estimate, mean, quantile

COLUMNS = [
    "defense", "c", "m", "metric", "region", "attacks", "n",
    "worst_case", "worst_case_low", "worst_case_high", "p90", "worst",
    "chosen_attack", "chosen", "chosen_low", "chosen_high",
    "draws", "draws_low", "draws_high", "gain", "gain_low", "gain_high",
    "complete",
]  # fmt: skip
_COUNTED = re.compile(r"(leakage|advantage)\[.*\]")


def worst_cases(run: Run) -> pd.DataFrame:
    """Return leakage and advantage of the ensemble of all attacks of a run, by defense, coalition rule and metric.

    Returns:
        Columns `COLUMNS`. worst_case is the mean over pictures of each picture's largest value over attacks and
        coalitions, p90 and worst its tail. chosen is the cross-fitted mean of the strongest attack, see
        `cross_fit`; absent below two pictures. draws is the worst case of one colour per attack, gain the paired
        difference to it. All have the ends of their intervals. complete is false where an attack failed, so that
        the numbers are lower bounds.
    """
    rows = []
    for (defense, c, m), records in attacked(run).items():
        tables = [
            run.values(record.cell_id).assign(attack=run.attack(record))
            for record in records
            if record.status == "ok"
        ]
        if tables:
            complete = not run.missing and all(r.status in ("ok", "skipped") for r in records)
            for row in _of_group(pd.concat(tables)):
                rows.append({"defense": defense, "c": c, "m": m, "complete": complete, **row})
    frame = pd.DataFrame(rows, columns=COLUMNS)
    numbers = [name for name in COLUMNS[7:] if name not in ("complete", "chosen_attack")]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def attacked(run: Run) -> dict[tuple[str, str, int], list[Record]]:
    """Group a run's records with an attack by defense, c and m, in the order of the plan."""
    groups: dict[tuple[str, str, int], list[Record]] = {}
    for record in run.of_kind("privacy"):
        if "attack" in record.cell:
            rule = record.cell["coalition"]
            groups.setdefault((run.defense(record), str(rule["c"]), rule["m"]), []).append(record)
    return groups


def _of_group(values: pd.DataFrame) -> Iterator[dict[str, Any]]:
    names = [str(name) for name in values["metric"].unique() if _COUNTED.fullmatch(str(name))]
    for name in names:
        attacked = values[values["metric"] == name]
        best = _largest(attacked)
        row: dict[str, Any] = {
            "metric": name,
            "region": attacked["region"].iloc[0],
            "attacks": attacked["attack"].nunique(),
            "n": len(best),
            **_number("worst_case", mean(best)),
            "p90": quantile(best, 0.9, interval=False).value,
            "worst": quantile(best, 1.0, interval=False).value,
            "chosen_attack": "",
        }
        if fitted := cross_fit(_by_attack(attacked)):
            row |= _number("chosen", fitted.estimate)
            row["chosen_attack"] = " / ".join(fitted.attacks)
        colours = values[values["metric"] == f"{KNOW_NOTHING}{name}"]
        if not colours.empty:
            lucky = _largest(colours)
            both = best.merge(lucky, on="image", suffixes=("", "_lucky"))
            row |= _number("draws", mean(lucky))
            row |= _number("gain", mean(both.assign(value=both["value"] - both["value_lucky"])))
        yield row


def _by_attack(values: pd.DataFrame) -> pd.DataFrame:
    """Return the value of each attack for each picture, of the coalition that learns most."""
    # An attack's seeds are averaged, as they are chance and no choice.
    each = values.groupby(["attack", "image", "servers"], sort=False)["value"].mean()
    return each.groupby(["attack", "image"], sort=True).max().reset_index()


def _largest(values: pd.DataFrame) -> pd.DataFrame:
    """Return the largest value of each picture over attacks and coalitions."""
    return _by_attack(values).groupby("image", sort=True)["value"].max().reset_index()


def _number(name: str, found: Estimate) -> dict[str, Any]:
    low, high = found.ci95 or (None, None)
    return {name: found.value, f"{name}_low": low, f"{name}_high": high}
