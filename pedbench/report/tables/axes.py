"""Tables of each axis: utility, privacy and claims."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pandas as pd

from pedbench.privacy.claims import UNDEFENDED
from pedbench.report.tables.attacks import rule_text, speaking_tables
from pedbench.report.tables.pivot import Metric, names_in, pivot
from pedbench.report.tables.table import Table
from pedbench.report.words.legend import REGIONS
from pedbench.results.summary import RETRIEVAL

Flags = Mapping[str, str]

_RETENTION = ("retention", "retention_low", "retention_high")


def utility_tables(frame: pd.DataFrame, flags: Flags) -> Iterator[Table]:
    """Yield for each protocol one table by prompt and one by size for the first prompt."""
    for protocol, rows in frame.groupby("protocol", sort=False):
        names = [name for name in names_in(rows) if not name.endswith(", per picture")]
        metrics = [Metric(title=name, name=name, regions=("all",)) for name in names]
        for name in names[:1]:
            metrics += [
                Metric(title=f"retention, {REGIONS[region]}", name=name, regions=(region,), fields=_RETENTION)
                for region in REGIONS
            ]
        about = f"protocol {protocol}"
        yield pivot(f"All objects, {about}", rows, ["defense"], metrics, flags)
        regions = rows.loc[rows["metric"].isin(names[:1]), "region"].unique()
        for name in names[:1]:
            sizes = [
                Metric(title=REGIONS.get(region, region), name=name, regions=(region,))
                for region in regions
                if region != "all"
            ]
            mean = Metric(title="mean over pictures", name=f"{name}, per picture", regions=("all",))
            yield pivot(f"{name} by size, {about}", rows, ["defense"], [*sizes, mean], flags)


def privacy_tables(
    frame: pd.DataFrame, spoken: pd.DataFrame, worst: pd.DataFrame, flags: Flags
) -> Iterator[Table]:
    """Yield for each coalition rule what was received, what the attacks made of it, and who speaks.

    Args:
        spoken: From `speaking.speaking`.
        worst: From `worst_case.worst_cases`.
    """
    for (c, m), rows in frame.groupby(["c", "m"], sort=False):
        geometry, attacked = rows[rows["attack"] == ""], rows[rows["attack"] != ""]
        if not geometry.empty:
            regions = geometry.groupby("metric", sort=False)["region"].first()
            names = [name for name in names_in(geometry) if not RETRIEVAL.fullmatch(name)]
            metrics = [Metric(title=n, name=n, regions=(regions[n],)) for n in names]
            yield pivot(f"Received, {rule_text(c, m)}", geometry, ["defense"], metrics, flags)
        if not attacked.empty:
            metrics = list(_attack_metrics(attacked))
            yield pivot(f"Attacks, {rule_text(c, m)}", attacked, ["defense", "attack"], metrics, flags)
        of_rule = (each[(each["c"] == c) & (each["m"] == m)] for each in (spoken, worst))
        yield from speaking_tables(*of_rule)


def claims_tables(frame: pd.DataFrame, flags: Flags) -> Iterator[Table]:
    """Yield for each coalition rule and probe what was read, below a line about the undefended picture."""
    for (c, m, probe), rows in frame.groupby(["c", "m", "probe"], sort=False):
        itself = rows[rows["source"] == UNDEFENDED]
        itself = itself[itself["cell_id"] == itself["cell_id"].min()]
        shown = pd.concat(
            [
                itself.assign(cell_id="", defense="the picture itself", attack="", flags=""),
                rows[rows["source"] != UNDEFENDED],
            ]
        )
        shown["reads"] = shown["attack"].where(shown["attack"] != "", shown["source"])
        metrics = [
            Metric(title=f"{name}, {region}", name=name, regions=(region,))
            for name in names_in(rows)
            for region in rows.loc[rows["metric"] == name, "region"].unique()
        ]
        title = f"Found by {probe}, {rule_text(c, m)}"
        yield pivot(title, shown, ["defense", "reads"], metrics, flags)


def _attack_metrics(rows: pd.DataFrame) -> Iterator[Metric]:
    """Yield scores of both regions, leakage and advantage, and the tails of leakages."""
    regions = rows.groupby("metric", sort=False)["region"].agg(set)
    tails = (", p90", ", worst")
    for name in names_in(rows):
        if {"hidden", "whole"} <= regions[name] and not name.endswith(tails):
            yield Metric(
                title=f"{name}, hidden / whole", name=name, regions=("hidden", "whole"), group="distances"
            )
    for kind, region in (("leakage", "whole"), ("advantage", "hidden")):
        for name in names_in(rows):
            if re.fullmatch(rf"{kind}\[.*\]", name):
                yield Metric(title=name, name=name, regions=(region,), group="leakage and advantage")
    for name in names_in(rows):
        if re.fullmatch(r"leakage\[.*\]", name):
            for tail in tails:
                yield Metric(title=f"{name}{tail}", name=f"{name}{tail}", regions=("whole",), group="tails")
