"""The report's tables as Markdown, each with a title."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pedbench.privacy.claims import UNDEFENDED
from pedbench.report.numbers.worst_case import worst_case_table
from pedbench.report.words.legend import REGIONS
from pedbench.report.words.pivot import Column, names_in, pivot
from pedbench.report.words.text import escape
from pedbench.results.summary import RETRIEVAL

Flags = Mapping[str, str]
Titled = tuple[str, str]
"""Title and table."""

_RETENTION = ("retention", "retention_low", "retention_high")
_TOTAL = "end to end"


def utility_tables(frame: pd.DataFrame, flags: Flags) -> Iterator[Titled]:
    """For each protocol one table by prompt and one by size for the first prompt."""
    for protocol, rows in frame.groupby("protocol", sort=False):
        names = [name for name in names_in(rows) if not name.endswith(", per picture")]
        columns = [Column(header=escape(name), metric=name, regions=("all",)) for name in names]
        for name in names[:1]:
            columns += [
                Column(header=f"retention, {REGIONS[region]}", metric=name, regions=(region,), of=_RETENTION)
                for region in REGIONS
            ]
        where = f"protocol {escape(str(protocol))}"
        yield f"All objects, {where}", pivot(rows, ["defense"], columns, flags)
        regions = rows.loc[rows["metric"].isin(names[:1]), "region"].unique()
        for name in names[:1]:
            sizes = [
                Column(header=REGIONS.get(region, escape(region)), metric=name, regions=(region,))
                for region in regions
                if region != "all"
            ]
            mean = Column(header="mean over pictures", metric=f"{name}, per picture", regions=("all",))
            yield f"{escape(name)} by size, {where}", pivot(rows, ["defense"], [*sizes, mean], flags)


def privacy_tables(frame: pd.DataFrame, worst: pd.DataFrame, flags: Flags) -> Iterator[Titled]:
    """For each coalition rule what was received, what the attacks made of it, and their worst case.

    Args:
        worst: From `worst_case.worst_cases`.
    """
    for (c, m), rows in frame.groupby(["c", "m"], sort=False):
        geometry, attacked = rows[rows["attack"] == ""], rows[rows["attack"] != ""]
        if not geometry.empty:
            regions = geometry.groupby("metric", sort=False)["region"].first()
            names = [name for name in names_in(geometry) if not RETRIEVAL.fullmatch(name)]
            columns = [Column(header=escape(n), metric=n, regions=(regions[n],)) for n in names]
            yield f"Received, {rule_text(c, m)}", pivot(geometry, ["defense"], columns, flags)
        if not attacked.empty:
            columns = list(_attack_columns(attacked))
            yield f"Attacks, {rule_text(c, m)}", pivot(attacked, ["defense", "attack"], columns, flags)
        bounds = worst[(worst["c"] == c) & (worst["m"] == m)]
        if bounds["metric"].str.startswith("leakage[").any():
            yield f"Cross-fitted attack and worst case, {rule_text(c, m)}", worst_case_table(bounds)


def claims_tables(frame: pd.DataFrame, flags: Flags) -> Iterator[Titled]:
    """For each coalition rule and probe what was found, below a line about the undefended picture."""
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
        columns = [
            Column(header=f"{escape(name)}, {region}", metric=name, regions=(region,))
            for name in names_in(rows)
            for region in rows.loc[rows["metric"] == name, "region"].unique()
        ]
        title = f"Found by {escape(str(probe))}, {rule_text(c, m)}"
        yield title, pivot(shown, ["defense", "reads"], columns, flags)


def rule_text(c: Any, m: Any) -> str:
    """A coalition rule in words."""
    return f"c = {escape(str(c))} (m = {m})"


def _attack_columns(rows: pd.DataFrame) -> Iterator[Column]:
    """Scores of both regions, leakage and advantage, and the tail of the first leakage."""
    regions = rows.groupby("metric", sort=False)["region"].agg(set)
    tails = (", p90", ", worst")
    for name in names_in(rows):
        if {"hidden", "whole"} <= regions[name] and not name.endswith(tails):
            yield Column(header=f"{escape(name)}, hidden / whole", metric=name, regions=("hidden", "whole"))
    for kind, region in (("leakage", "whole"), ("advantage", "hidden")):
        for name in names_in(rows):
            if re.fullmatch(rf"{kind}\[.*\]", name):
                yield Column(header=escape(name), metric=name, regions=(region,))
    for name in names_in(rows):
        if re.fullmatch(r"leakage\[.*\]", name):
            for tail in tails:
                yield Column(header=f"{escape(name)}{tail}", metric=f"{name}{tail}", regions=("whole",))
            return


def latency_tables(frame: pd.DataFrame, flags: Flags) -> Iterator[Titled]:
    """For each link and dtype the totals, and for each way of measuring the phases."""
    for (link, dtype), rows in frame.groupby(["link", "dtype"], sort=False):
        where = f"link {escape(str(link))}, {escape(str(dtype))}"
        regions = rows.groupby("metric", sort=False)["region"].agg(list)
        totals = [
            Column(
                header=escape(name),
                metric=name,
                regions=(_TOTAL if _TOTAL in regions[name] else regions[name][0],),
            )
            for name in names_in(rows)
        ]
        yield f"End to end, {where}", pivot(rows, ["defense"], totals, flags)
        for name in names_in(rows):
            phases = [p for p in rows.loc[rows["metric"] == name, "region"].unique() if p != _TOTAL]
            if name.endswith(" p50") and phases:
                columns = [Column(header=escape(p), metric=name, regions=(p,)) for p in phases]
                yield f"Phases, {escape(name)}, {where}", pivot(rows, ["defense"], columns, flags)
