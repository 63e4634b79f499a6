"""Two runs of one suite side by side, such as two versions of a defense or two machines, with paired differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pedbench.privacy.claims import WORDS
from pedbench.report.numbers.combined import combined, measures_of, rule_of, rules_of, utility_values
from pedbench.report.numbers.speaking import contests
from pedbench.report.numbers.words_read import words_read
from pedbench.results.cross_fitting import cross_fitted_difference
from pedbench.results.run import Run
from pedbench.results.statistics import Difference, difference, mean
from pedbench.suites.cell import canonical_json

WALL = "wall"

COLUMNS = ["defense", "versions", "measure", "unit", "first", "second", "difference", "low", "high", "n"]


def side_by_side(first: Run, second: Run) -> pd.DataFrame:
    """Compare what both runs measured of defenses of the same name and parameters, whatever their versions.

    Returns:
        Columns `COLUMNS`: one row a defense and measure (utility, leakages under the first rule, words read, wall time
        in seconds); difference is second minus first, picture by picture, with a 95 % bootstrap interval.
    """
    frames = [combined(run).set_index("defense", drop=False) for run in (first, second)]
    named = [{_key(identity): label for label, identity in run.defenses.items()} for run in (first, second)]
    rows: list[dict[str, Any]] = []
    for key in (key for key in named[0] if key in named[1]):
        labels = [each[key] for each in named]
        sides = [
            dict(_measured(run, frame.loc[label]))
            for run, frame, label in zip((first, second), frames, labels, strict=True)
        ]
        versions = [
            str(run.defenses[label]["version"]) for run, label in zip((first, second), labels, strict=True)
        ]
        for measure in (measure for measure in sides[0] if measure in sides[1]):
            one, other = (side[measure] for side in sides)
            apart = _difference(measure, other, one)
            if apart is not None:
                low, high = apart.ci95 or (None, None)
                rows.append(
                    {
                        "defense": labels[0], "versions": " → ".join(dict.fromkeys(versions)), "measure": measure,
                        "unit": "s" if measure == WALL else "", "first": _mean(one), "second": _mean(other),
                        "difference": apart.value, "low": low, "high": high, "n": apart.n,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _key(identity: Any) -> str:
    return canonical_json([identity["name"], identity["params"]])


def _measured(run: Run, row: Any) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield measures with their values."""
    label = row["defense"]
    useful = utility_values(run, row)
    if useful is not None:
        yield str(row["utility_metric"]), useful
    for rule in rules_of(combined(run))[:1]:
        c, m = rule_of(rule)
        for measure in measures_of(combined(run)):
            contest = contests(run).get(((label, c, m), measure))
            if contest is not None and contest.fitted is not None:
                yield measure, contest.candidates
        read = words_read(run, label, c, m)
        if read:
            yield WORDS, max(read, key=lambda each: mean(each).value)
    for record in run.of_kind("latency"):
        if run.defense(record) == label and record.status == "ok":
            values = run.values(record.cell_id)
            timed = values[(values["metric"] == "wall") & (values["region"] == "end to end")]
            yield WALL, timed.groupby("image")["value"].mean().reset_index().assign(annotation=-1)
            return


def _difference(measure: str, values: pd.DataFrame, reference: pd.DataFrame) -> Difference | None:
    if "attack" in values:
        return cross_fitted_difference(values, reference)
    try:
        return difference(values, reference)
    except ValueError:
        return None


def _mean(values: pd.DataFrame) -> float:
    if "attack" not in values:
        return mean(values).value
    return float(values.groupby("attack")["value"].mean().max())
