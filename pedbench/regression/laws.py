"""Laws of the protocol that the values of a run decide: docs/reference/protocol.md, "Laws".

Every number of the report is held against values that are read here anew, in loops over attacks and coalitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from pedbench.regression.finding import Finding
from pedbench.report.numbers.best_defense import MOST_LEAKAGE, choose
from pedbench.report.numbers.combined import combined, rule_of
from pedbench.report.numbers.speaking import LEAKAGE, Rule, by_rule, speaking
from pedbench.report.numbers.tidy import privacy
from pedbench.report.numbers.worst_case import worst_cases
from pedbench.results.at_most import size
from pedbench.results.records import Record
from pedbench.results.run import Run
from pedbench.validity.controls import controls
from pedbench.validity.families import RECEIVED, lacking

SLACK = 1e-9
"""Difference that two sums of the same values may have."""

_GROWING = ("visible share", "exposure ", "secret exposure ")
"""Beginnings of the names of numbers about what was received that never fall with c."""


@dataclass(frozen=True, kw_only=True)
class _Defense:
    """The records of a run about one defense under one coalition rule.

    Attributes:
        attacked: Those with an attack.
        received: Those about what was received.
        smaller: All with an attack, values, and at most as many servers.
    """

    run: Run
    attacked: list[Record]
    received: list[Record]
    smaller: list[Record]

    def guesses(self, metric: str) -> pd.DataFrame:
        """Return columns attack, image, servers and value of all guesses; seeds are averaged."""
        tables = []
        for record in self.smaller:
            values = self.run.values(record.cell_id)
            mine = values[values["metric"] == metric]
            tables.append(mine[["image", "servers", "value"]].assign(attack=self.run.attack(record)))
        values = pd.concat(tables)
        each = values.groupby(["attack", "image", "servers"], sort=False)["value"].mean()
        return each.reset_index()

    @cached_property
    def pictures(self) -> set[str]:
        """The pictures that the defense was measured on."""
        tables = [self.run.values(r.cell_id) for r in (*self.received, *self.smaller) if r.status == "ok"]
        return {str(image) for table in tables for image in table["image"]}

    def doubts(self) -> Iterator[str]:
        """Yield attacks that failed, and families that are absent."""
        for record in self.attacked:
            if record.status in ("failed", "invalid"):
                yield f"{self.run.attack(record)} is {record.status}"
        measured = [record for record in self.attacked if record.status == "ok"]
        flags = {flag for record in self.received for flag in record.flags if flag.startswith(RECEIVED)}
        if flags and all("family" in record.attacker for record in measured):
            attackers = [record.attacker | {"composed": "read_out" in record.cell} for record in measured]
            kinds = {flag.removeprefix(RECEIVED) for flag in flags}
            yield from (f"no attack of the family {name}" for name in lacking(kinds, attackers))


def check_laws(run: Run) -> Iterator[Finding]:
    """Check that worst cases count every guess, grow with c, and that no lower bound is taken for a number.

    Raises:
        ValueError: A file of the run cannot be understood.
    """
    defenses = dict(_defenses(run))
    yield from _worst_cases(run, defenses)
    yield from _growing(run)
    yield from _shares(run)
    yield from _speakers(run, defenses)
    yield from _best(run, defenses)


def _defenses(run: Run) -> Iterator[tuple[Rule, _Defense]]:
    received, attacked = (by_rule(run, attacked=flag) for flag in (False, True))
    for key, records in attacked.items():
        smaller = [
            record
            for (defense, _, _), others in attacked.items()
            if defense == key[0]
            for record in others
            if record.status == "ok" and size(record) <= size(records[0])
        ]
        if smaller:
            yield key, _Defense(run=run, attacked=records, received=received.get(key, []), smaller=smaller)


def _subject(number: str, rule: Rule, metric: str = "") -> str:
    defense, c, m = rule
    return f"{number} of {defense}, c = {c} (m = {m}){f', {metric}' if metric else ''}"


def _worst_cases(run: Run, defenses: Mapping[Rule, _Defense]) -> Iterator[Finding]:
    """Hold each worst case against the largest value of each picture: no attack or coalition ever lowers it."""
    for row in worst_cases(run).to_dict("records"):
        if not row["metric"].startswith(LEAKAGE):
            continue
        rule = (row["defense"], row["c"], row["m"])
        guesses = defenses[rule].guesses(row["metric"])
        most = guesses.groupby("image")["value"].max()
        problem = ""
        if row["worst_case"] < most.mean() - SLACK:
            largest = guesses.sort_values("value").iloc[-1]
            problem = (
                f"it is told as {row['worst_case']:.3f}, and the evaluated coalitions of at most c servers give "
                f"{most.mean():.3f}, e.g. {largest['attack']} from servers {largest['servers']} "
                f"{largest['value']:.3f} of picture {largest['image']}: an attack or coalition more never lowers it"
            )
        yield Finding(subject=_subject("worst case", rule, row["metric"]), problem=problem)


def _growing(run: Run) -> Iterator[Finding]:
    """Compare each number that never falls with c with that of the next smaller rule."""
    received = privacy(run)
    received = received[(received["attack"] == "") & received["metric"].str.startswith(_GROWING)]
    worst = worst_cases(run).rename(columns={"worst_case": "value"})
    worst = worst[worst["metric"].str.startswith(LEAKAGE)]
    for number, frame in (("share", received), ("worst case", worst)):
        sizes = frame["c"].replace("N", "inf").astype(float)
        ordered = frame.assign(size=sizes).sort_values("size", kind="stable")
        for (defense, metric, region), rows in ordered.groupby(["defense", "metric", "region"], sort=False):
            smaller: Mapping[Any, Any] | None = None
            for row in rows.to_dict("records"):
                falls = (
                    smaller is not None
                    and smaller["n"] == row["n"]
                    and row["value"] < smaller["value"] - SLACK
                )
                problem = ""
                if smaller is not None and falls:
                    problem = (
                        f"it falls from {smaller['value']:.3f} at c = {smaller['c']} to {row['value']:.3f}: a larger "
                        "coalition may ignore members, so it never learns less"
                    )
                name = f"{metric}, {region}" if region else str(metric)
                yield Finding(
                    subject=_subject(number, (str(defense), row["c"], row["m"]), name), problem=problem
                )
                smaller = row


def _shares(run: Run) -> Iterator[Finding]:
    """Compare the visible share of each coalition with those of its members alone."""
    for (defense, c, m), records in by_rule(run, attacked=False).items():
        alone = by_rule(run, attacked=False)
        single = [
            r for (name, _, _), group in alone.items() if name == defense for r in group if size(r) == 1
        ]
        known: dict[tuple[str, str], float] = {}
        for record in single:
            known |= _visible(run, record)
        problem = ""
        for record in records:
            for (image, servers), share in _visible(run, record).items():
                for member in servers.split("+"):
                    if not problem and share < known.get((image, member), 0.0) - SLACK:
                        problem = (
                            f"servers {servers} see {share:.3f} of picture {image}, and server {member} alone sees "
                            f"{known[image, member]:.3f}"
                        )
        yield Finding(subject=_subject("visible shares", (defense, c, m)), problem=problem)


def _visible(run: Run, record: Record) -> dict[tuple[str, str], float]:
    values = run.values(record.cell_id) if record.status == "ok" else run.values(record.cell_id).head(0)
    mine = values[values["metric"] == "visible share"]
    return dict(zip(zip(mine["image"], mine["servers"], strict=True), mine["value"], strict=True))


def _speakers(run: Run, defenses: Mapping[Rule, _Defense]) -> Iterator[Finding]:
    for row in speaking(run).to_dict("records"):
        if row["metric"].startswith(LEAKAGE):
            rule = (row["defense"], row["c"], row["m"])
            problem = _misspoken(row, defenses[rule])
            yield Finding(subject=_subject("speaking attack", rule, row["metric"]), problem=problem)


def _misspoken(row: Mapping[Any, Any], defense: _Defense) -> str:
    """Return why a row of `speaking` says more than its values do; empty if it does not."""
    worst = defense.guesses(row["metric"]).groupby(["attack", "image"])["value"].max()
    speakers = [worst[name] for name in row["attack"].split(" / ") if name]
    for name, values in zip(row["attack"].split(" / "), speakers, strict=False):
        if len(values) < len(defense.pictures):
            return (
                f"{name} speaks and guessed {len(values)} of {len(defense.pictures)} pictures: an attack that was "
                "limited never replaces the mean of those that guessed every picture"
            )
    if row["bound"]:
        return ""
    for doubt in defense.doubts():
        return f"it is told without ≥, and {doubt}"
    for attack in worst.index.unique("attack"):
        mine = worst[attack]
        if len(mine) < len(defense.pictures) and all(
            mine.mean() > values.reindex(mine.index).mean() + SLACK for values in speakers
        ):
            leader = max(values.reindex(mine.index).mean() for values in speakers)
            return (
                f"it is told as {row['value']:.3f} without ≥, and {attack}, which was limited to {len(mine)} pictures, "
                f"reaches {mine.mean():.3f} there, where {row['attack']} reaches {leader:.3f}"
            )
    return ""


def _best(run: Run, defenses: Mapping[Rule, _Defense]) -> Iterator[Finding]:
    """Check the defense that the headline names."""
    choice = choose(run, combined(run), controls(run))
    if choice is None or not choice.best:
        return
    c, m = rule_of(choice.rule)
    rule = (choice.best, c, m)
    spoken = speaking(run)
    mine = spoken[(spoken["defense"] == choice.best) & (spoken["c"] == c) & (spoken["m"] == m)]
    problem = ""
    for row in mine[mine["metric"].str.startswith(LEAKAGE)].to_dict("records"):
        doubt = "its number is a lower bound (≥)" if row["bound"] else _misspoken(row, defenses[rule])
        others = choice.keeping[f"{row['metric']}_{choice.rule}_value"]
        if doubt:
            problem = f"it is named the most private, and by {row['metric']} {doubt}"
        elif row["value"] > others.min() + SLACK:
            problem = f"it is named the most private, and by {row['metric']} another defense leaks less"
        elif row["value"] >= MOST_LEAKAGE:
            problem = f"it is named the most private, and its {row['metric']} is {row['value']:.3f}"
        if problem:
            break
    yield Finding(subject=_subject("headline", rule), problem=problem)
