"""The attack that speaks for a defense, per distance, and when its number is a lower bound."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from pedbench.results.at_most import evaluated_coalitions, question, worst_at_most
from pedbench.results.cross_fitting import CrossFitted, cross_fit
from pedbench.results.records import Record
from pedbench.results.run import Run, once_per_run
from pedbench.results.statistics import Estimate
from pedbench.validity.families import RECEIVED, lacking

Rule = tuple[str, str, int]
"""Defense, c and m."""

COUNTED = re.compile(r"(leakage|advantage)\[.*\]")
"""Names of the metrics for which an attack speaks."""

LEAKAGE = "leakage["
"""Begins the names of leakages; the distance follows."""

COLUMNS = [
    "defense", "c", "m", "metric", "region", "attack", "ties", "value", "low", "high", "n",
    "ahead", "ahead_value", "ahead_n", "bound", "doubts", "coalitions",
]  # fmt: skip

_TIE = 1e-9
"""Attacks whose means differ by less are equally strong."""


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """An attack that was limited to some pictures, and does better on them than the attack that speaks.

    Attributes:
        value: Its mean over its pictures.
        n: Number of these pictures.
    """

    attack: str
    value: float
    n: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Contest:
    """All attacks on a defense under a coalition rule, by one metric.

    Attributes:
        region: Region of the metric.
        values: Columns attack, image, value: the worst coalition of at most c servers.
        pictures: Number of the defense's pictures that have the metric.
        doubts: Why more may leak than any of these attacks shows, in words; the same for all metrics.
    """

    region: str
    values: pd.DataFrame
    pictures: int
    doubts: tuple[str, ...]

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """The values of the attacks that guessed every picture."""
        counts = Counter(self.values["attack"])
        short = [attack for attack, count in counts.items() if count != self.pictures]
        return self.values[~self.values["attack"].isin(short)] if short else self.values

    @cached_property
    def fitted(self) -> CrossFitted | None:
        """The attack that speaks, cross-fitted; None where no attack guessed every picture."""
        return cross_fit(self.candidates)

    @cached_property
    def speaker(self) -> str:
        """Name of the attack that speaks, two where the halves of the pictures select two; empty without one."""
        return " / ".join(self.fitted.attacks) if self.fitted else ""

    @cached_property
    def ties(self) -> int:
        """Number of further candidates that are as strong as the one that speaks."""
        if self.fitted is None:
            return 0
        means = self.candidates.groupby("attack")["value"].mean()
        alike = (means - means[self.fitted.attacks[0]]).abs() <= _TIE
        return int(alike.drop(list(self.fitted.attacks)).sum())

    @cached_property
    def ahead(self) -> Ahead | None:
        """The limited attack that is farthest ahead of the one that speaks, on their common pictures."""
        if len(self.candidates) == len(self.values):
            return None
        limited = self.values[~self.values["attack"].isin(self.candidates["attack"])]
        found: list[tuple[float, Ahead]] = []
        for attack, rows in limited.groupby("attack", sort=False):
            lead = float(rows["value"].mean())
            if self.fitted is not None:
                both = rows.merge(self.fitted.pictures, on="image", suffixes=("", "_leader"))
                lead = float((both["value"] - both["value_leader"]).mean())
            if self.fitted is None or lead > _TIE:
                ahead = Ahead(attack=str(attack), value=float(rows["value"].mean()), n=len(rows))
                found.append((lead, ahead))
        return max(found, key=lambda each: each[0], default=(0.0, None))[1]

    @property
    def bound(self) -> bool:
        """Whether the number is a lower bound, marked by the sign for at least."""
        return bool(self.doubts) or self.ahead is not None

    @property
    def estimate(self) -> Estimate | None:
        """The leakage (or advantage) of the attack that speaks."""
        return self.fitted.estimate if self.fitted else None


def distance_of(measure: str) -> str:
    """Return the distance of a leakage, "RMSE" of "leakage[RMSE]"; the name of another measure as it is."""
    return measure.removeprefix(LEAKAGE).removesuffix("]")


def by_rule(run: Run, *, attacked: bool) -> dict[Rule, list[Record]]:
    """Group a run's privacy records by defense, c and m, in the order of the plan.

    Args:
        attacked: Whether records with an attack are grouped, or those of what was received.
    """
    groups: dict[Rule, list[Record]] = {}
    for record in run.of_kind("privacy"):
        if ("attack" in record.cell) == attacked:
            rule = record.cell["coalition"]
            groups.setdefault((run.defense(record), str(rule["c"]), rule["m"]), []).append(record)
    return groups


@once_per_run
def attack_values(run: Run) -> dict[Rule, pd.DataFrame]:
    """Return what attacks made of each defense under each rule, by defense, c and m.

    Returns:
        Columns metric, region, image, value and attack: the worst coalition of at most c servers.
    """
    found = {}
    for key, records in by_rule(run, attacked=True).items():
        names = {question(record): run.attack(record) for record in records}
        values = worst_at_most(run, records[0])
        values = values[values["question"].isin(list(names))]
        if len(values):
            found[key] = values.assign(attack=values["question"].map(names))
    return found


@once_per_run
def contests(run: Run) -> dict[tuple[Rule, str], Contest]:
    """Return the contest of each defense, rule and metric, metrics in the order of their values."""
    records, received = (by_rule(run, attacked=attacked) for attacked in (True, False))
    found: dict[tuple[Rule, str], Contest] = {}
    for key, values in attack_values(run).items():
        doubts = tuple(_doubts(run, records[key], received.get(key, ())))
        measured = {name for record in received.get(key, ()) for name in _images(run, record)}
        order = [metric.name for record in records[key] for metric in record.metrics]
        counted = values[
            values["metric"].isin([name for name in values["metric"].unique() if COUNTED.fullmatch(name)])
        ]
        tables = {str(metric): mine for metric, mine in counted.groupby("metric", sort=False)}
        for metric in [name for name in dict.fromkeys([*order, *tables]) if name in tables]:
            mine = tables[metric]
            images = set(mine["image"]) | (measured if metric.startswith(LEAKAGE) else set())
            found[key, metric] = Contest(
                region=str(mine["region"].iloc[0]),
                values=mine[["attack", "image", "value"]],
                pictures=len(images),
                doubts=doubts,
            )
    return found


def _images(run: Run, record: Record) -> set[str]:
    return set(run.values(record.cell_id)["image"]) if record.status == "ok" else set()


def _doubts(run: Run, records: Sequence[Record], received: Sequence[Record]) -> Iterator[str]:
    """Yield why more may leak than the attacks show: those that failed, were skipped, have not run, or are absent."""
    kinds = {
        flag.removeprefix(RECEIVED)
        for record in received
        for flag in record.flags
        if flag.startswith(RECEIVED)
    }
    for record in records:
        # A completion of what another attack reads out needs what that one needs.
        fits = kinds & {*record.attacker.get("needs", ())} and "read_out" not in record.cell
        if record.status in ("failed", "invalid") or (record.status == "skipped" and fits):
            yield f"{run.attack(record)} {record.status}"
    if run.missing:
        yield f"{len(run.missing)} cells have not run"
    measured = [record for record in records if record.status == "ok"]
    # Records of earlier versions do not say it.
    if kinds and all("family" in record.attacker for record in measured):
        attackers = [record.attacker | {"composed": "read_out" in record.cell} for record in measured]
        yield from (f"no {name}" for name in lacking(kinds, attackers))


@once_per_run
def speaking(run: Run) -> pd.DataFrame:
    """Return which attack speaks for each defense and rule, by each leakage and advantage.

    Returns:
        Columns `COLUMNS`: value is cross-fitted over the n pictures of the defense. ahead names an attack that was
        limited to ahead_n pictures and does better on them, with its mean there. bound is true where the number is a
        lower bound, doubts says why, apart from ahead. coalitions says how many of exactly c servers were evaluated
        for a picture, of how many there are.
    """
    rows: list[dict[str, Any]] = []
    received = by_rule(run, attacked=False)
    evaluated = {key: evaluated_coalitions(run, received.get(key, ())) for key in by_rule(run, attacked=True)}
    for ((defense, c, m), metric), contest in contests(run).items():
        found, ahead = contest.estimate, contest.ahead
        low, high = (found and found.ci95) or (None, None)
        rows.append(
            {
                "defense": defense,
                "c": c,
                "m": m,
                "metric": metric,
                "region": contest.region,
                "attack": contest.speaker,
                "ties": contest.ties,
                "value": found.value if found else None,
                "low": low,
                "high": high,
                "n": contest.pictures,
                "ahead": ahead.attack if ahead else "",
                "ahead_value": ahead.value if ahead else None,
                "ahead_n": ahead.n if ahead else None,
                "bound": contest.bound,
                "doubts": "; ".join(contest.doubts),
                "coalitions": evaluated[defense, c, m],
            }
        )
    frame = pd.DataFrame(rows, columns=COLUMNS)
    numbers = dict.fromkeys(("value", "low", "high", "ahead_value"), "float64")
    return frame.astype({**numbers, "n": "Int64", "ahead_n": "Int64", "bound": "bool"})
