"""Tables that set defenses side by side: differences, lying servers, and the order in two runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from pedbench.report.numbers.dishonest_servers import HONEST
from pedbench.report.numbers.ranks import Agreement
from pedbench.report.tables.pivot import count, letters, names_in
from pedbench.report.tables.table import Cell, Interval, Table, columns
from pedbench.report.words.inline import Code, Strong
from pedbench.report.words.legend import REGIONS
from pedbench.report.words.text import NOTHING


def comparison_tables(frame: pd.DataFrame) -> Iterator[Table]:
    """Yield the first utility, and each leakage of each rule.

    Args:
        frame: From `comparisons`.
    """
    shown: set[tuple[str, ...]] = set()
    utility = "ML" if (frame["region"] == "ML").any() else "all"
    groups = frame.groupby(["kind", "c", "m", "metric", "region"], sort=False, dropna=False)
    for (kind, c, m, metric, region), rows in groups:
        # Text, as what is missing equals nothing, not even itself.
        question = (str(kind), str(c), str(m), str(metric) if kind == "privacy" else "")
        if (
            question in shown
            or (kind == "utility" and region != utility)
            or str(metric).startswith("advantage")
        ):
            continue
        shown.add(question)
        about = f"c = {c} (m = {m:.0f})" if kind == "privacy" else REGIONS.get(str(region), str(region))
        first = rows.iloc[0]
        yield Table(
            title=(f"{metric}, {about}, against ", *_attacked(first, "reference_")),
            columns=columns("defense", text=True)
            + columns("difference", better=first["better"])
            + columns("p", "p, corrected", write=_p)
            + columns("n"),
            rows=[
                [
                    _attacked(row),
                    Interval(row["difference"], row["low"], row["high"]),
                    row["p"],
                    row["p_holm"],
                    count(row["n"], rows["n"].max()),
                ]
                for _, row in rows.iterrows()
            ],
        )


def _attacked(row: Any, prefix: str = "") -> tuple[str, ...]:
    """Return a defense with the attack that speaks for it, marked where its mean is a lower bound."""
    defense, attack = row["reference" if prefix else "defense"], row[f"{prefix}attack"]
    sign = ("≥ ",) if row[f"{prefix}bound"] else ()
    return (*sign, Code(defense), *((" ", Code(attack)) if attack else ()))


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def integrity_tables(frame: pd.DataFrame, flags: Mapping[str, str]) -> Iterator[Table]:
    """Yield for each protocol its first metric, on medium and large objects where sizes are known.

    Args:
        frame: From `integrity`.
        flags: Flag -> letter.
    """
    for protocol, rows in frame.groupby("protocol", sort=False):
        metric = next(iter(names_in(rows)), "")
        region = "ML" if ((rows["metric"] == metric) & (rows["region"] == "ML")).any() else "all"
        shown = rows[(rows["status"] != "ok") | ((rows["metric"] == metric) & (rows["region"] == region))]
        better = next(iter(rows.loc[rows["metric"] == metric, "better"]), "")
        name = metric or "status"
        yield Table(
            title=f"{name}, {REGIONS.get(region, region)}, protocol {protocol}",
            columns=columns("defense", "lie", text=True)
            + columns("liars", "checks")
            + columns(name, better=better)
            + columns("difference, points", write=_points)
            + columns("found in passes")
            + columns("expected", write=lambda share: f"{100 * share:.1f} %")
            + columns("n")
            + columns("flags", optional=True),
            rows=[_integrity(row, flags) for row in shown.to_dict("records")],
        )


def _integrity(row: Mapping[Any, Any], flags: Mapping[str, str]) -> list[Cell]:
    return [
        Code(row["defense"]),
        row["lie"],
        f"{row['liars']} of {row['servers']}",
        NOTHING if row["lie"] == HONEST else row["checks"],
        Interval(row["value"], row["low"], row["high"]) if row["status"] == "ok" else Strong(row["status"]),
        Interval(row["difference"], row["difference_low"], row["difference_high"]),
        NOTHING if pd.isna(row["passes"]) else f"{row['found']} of {row['passes']}",
        row["expected"],
        row["n"],
        letters(row["flags"], flags),
    ]


def _points(share: float) -> str:
    return f"{round(100 * share, 2) + 0.0:+.2f}"


def agreement_table(measures: Sequence[Agreement]) -> Table:
    """Return a line for each measure by which two runs order their defenses."""
    return Table(
        columns=columns("order of defenses by", text=True)
        + columns("defenses")
        + columns("Spearman's rho", "Kendall's tau", write="{:.2f}".format),
        rows=[[each.measure, len(each.values), each.spearman, each.kendall] for each in measures],
    )


def values_table(measure: Agreement) -> Table:
    """Return a line for each defense that both runs measured."""
    return Table(
        columns=columns(measure.measure, text=True)
        + columns("first run", "second run", write="{:.4g}".format),
        rows=[
            [Code(row["defense"]), row["first"], row["second"]] for row in measure.values.to_dict("records")
        ],
    )
