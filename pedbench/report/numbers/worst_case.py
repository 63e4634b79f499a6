"""The worst case: for each picture the attack and the coalition that learn most, chosen with the truth at hand.

Nobody can choose like that, so this is a bound and no measurement of an attack. The best of many guesses is better
than one of them even where none knows anything: next to each number stands the same statistic for as many colours
drawn at random from training pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pedbench.privacy.scoring import KNOW_NOTHING
from pedbench.report.numbers.speaking import attack_values, contests
from pedbench.results.run import Run, once_per_run
from pedbench.results.statistics import mean_over, quantile_over

COLUMNS = [
    "defense", "c", "m", "metric", "region", "attacks", "n", "bound",
    "worst_case", "worst_case_low", "worst_case_high", "p90", "worst",
    "draws", "draws_low", "draws_high", "gain", "gain_low", "gain_high",
]  # fmt: skip


@once_per_run
def worst_cases(run: Run) -> pd.DataFrame:
    """Return leakage and advantage of the ensemble of all attacks of a run, by defense, coalition rule and metric.

    Returns:
        Columns `COLUMNS`. worst_case is the mean over pictures of each picture's largest value over attacks and
        coalitions of at most c servers, p90 and worst its tail. draws is the worst case of one colour per attack,
        gain the paired difference to it. bound is true where an attack that may do better is missing, see `speaking`.
    """
    rows = []
    colours = {key: _of_colours(values) for key, values in attack_values(run).items()}
    for ((defense, c, m), metric), contest in contests(run).items():
        best = _largest(contest.values)
        pictures = np.array(list(best.values()))
        row: dict[str, Any] = {"defense": defense, "c": c, "m": m, "metric": metric, "region": contest.region}
        row |= {"attacks": contest.values["attack"].nunique(), "n": len(best), "bound": bool(contest.doubts)}
        row |= mean_over(pictures).columns("worst_case")
        row |= {"p90": quantile_over(pictures, 0.9, interval=False).value, "worst": pictures.max()}
        lucky = colours[defense, c, m].get(metric, {})
        if lucky:
            gain = np.array([value - lucky[image] for image, value in best.items() if image in lucky])
            row |= mean_over(np.array(list(lucky.values()))).columns("draws")
            row |= mean_over(gain).columns("gain")
        rows.append(row)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype(dict.fromkeys(COLUMNS[8:], "float64") | {"bound": "bool"})


def _of_colours(values: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the largest value of each picture over colours that were drawn, by the metric of attacks."""
    colours = values[values["metric"].str.startswith(KNOW_NOTHING)]
    groups = colours.groupby("metric", sort=False)
    return {str(name).removeprefix(KNOW_NOTHING): _largest(rows) for name, rows in groups}


def _largest(values: pd.DataFrame) -> dict[str, float]:
    """Return the largest value of each picture over attacks, in the order of the pictures' names."""
    found: dict[str, float] = {}
    for image, value in zip(values["image"], values["value"], strict=True):
        found[image] = max(value, found.get(image, value))
    return dict(sorted(found.items()))
