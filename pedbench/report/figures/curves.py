"""Figures of the curves: leakage against the coalition's size, and privacy against a defense's parameter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from pedbench.report.figures.drawing import Drawing, arms, drawable, looks_of, styled_panels
from pedbench.report.numbers.combined import measures_of, rules_of
from pedbench.report.numbers.curves import LEAKED
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.results.run import Run

_IN_A_ROW = 3
"""Panels next to each other; more would be too small on a page."""

_HEIGHT = 3.6
"""Height of a panel in inches."""

_WIDE = 8
"""Ratio of largest to smallest setting from which the axis is logarithmic."""


def coalition_figure(run: Run, curve: pd.DataFrame) -> Drawing | None:
    """Draw leakage against the number of servers that pool, one panel for each distance.

    Args:
        curve: From `curves.coalition_curve`.

    Returns:
        None where there is no curve.
    """
    if curve.empty:
        return None
    metrics, defenses = curve["metric"].unique(), curve["defense"].unique()
    count = len(metrics)
    with styled_panels(count, min(count, _IN_A_ROW), 6.0, _HEIGHT) as (figure, panels):
        for axes, metric in zip(panels, metrics, strict=True):
            for (colour, marker), defense in zip(looks_of(len(defenses)), defenses, strict=True):
                rows = curve[(curve["defense"] == defense) & (curve["metric"] == metric)]
                _line(axes, rows, "size", "leakage", drawable(defense), colour, marker)
                axes.plot(rows["size"], rows["leakage_mean"], color=colour, linestyle=":", linewidth=1)
            axes.axhline(LEAKED, color="grey", linewidth=0.8, linestyle="--")
            axes.set_xlabel("servers in the coalition")
            axes.set_ylabel(drawable(f"{metric} (↓ better)"), parse_math=False)
            _ticks(axes, sorted(set(curve["size"])))
        panels[-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    caption = (
        f"{', '.join(metrics)} against the size of the coalition, with 95 % bootstrap intervals over "
        f"{curve['n'].max()} pictures. Solid: the attack that speaks, from each picture's worst coalition of at most "
        f"that many servers; dotted: the mean over all evaluated coalitions of that size. Dashed: {LEAKED}."
    )
    return Drawing(name="coalitions", title="Leakage against coalition size", caption=caption, figure=figure)


def sweep_figures(run: Run, sweeps: pd.DataFrame) -> Iterator[Drawing]:
    """Draw for each swept parameter retention, visible share, exposure and leakages.

    Args:
        sweeps: From `curves.sweeps`.
    """
    for (name, parameter), rows in sweeps.groupby(["sweep", "parameter"], sort=False):
        rules, leakages = rules_of(rows), measures_of(rows)
        measured = [r for r in rules if any(rows[f"{name}_{r}_value"].notna().any() for name in leakages)]
        if not measured:
            continue
        kept = "retention" if rows["retention_value"].notna().any() else "utility"
        use = f"retention of {utility_title(rows)}" if kept == "retention" else utility_title(rows)
        panels = {
            "visible_share_{}_value": "visible share",
            "exposure_{}": "objects exposed by half",
            **{f"{leakage}_{{}}": leakage for leakage in leakages},
        }
        with styled_panels(1 + len(panels), _IN_A_ROW, 3.2, _HEIGHT) as (figure, (first, *columns)):
            _line(first, rows, "setting", kept, "", "black", "o")
            first.set_title(drawable(f"{use} (↑ better)"), fontsize=8.5)
            for axes, (column, title) in zip(columns, panels.items(), strict=True):
                for (colour, marker), rule in zip(looks_of(len(measured)), measured, strict=True):
                    _line(axes, rows, "setting", column.format(rule), short_rule(rule), colour, marker)
                axes.set_title(drawable(f"{title} (↓ better)"), fontsize=8.5)
            # Where all coalitions learn the same, the first line's larger marks look out from under the others.
            for line in (line for axes in columns for line in axes.lines[:1]):
                line.set(markersize=9, linewidth=3)
            for axes in columns[:2]:
                axes.set_ylim(-0.04, 1.04)
            for axes in (first, *columns):
                axes.set_xlabel(drawable(str(parameter)), parse_math=False)
                _ticks(axes, sorted(set(rows["setting"])))
            columns[0].legend(fontsize=7.5)
        settings = ", ".join(f"{value:g}" for value in sorted(set(rows["setting"])))
        caption = (
            f"{name} with {parameter} = {settings}: {use}, what a coalition receives, the part of objects of which "
            f"it sees at least half, and leakage by the attack that speaks, with 95 % bootstrap intervals."
        )
        title = f"{name} against {parameter}"
        stem = re.sub(r"[^A-Za-z0-9]+", "_", f"sweep_{name}_{parameter}").strip("_")
        yield Drawing(name=stem, title=title, caption=caption, figure=figure)


def _line(axes: Axes, rows: pd.DataFrame, across: str, up: str, label: str, colour: Any, marker: str) -> None:
    """Draw points joined by a line, with intervals where the frame has them."""
    bare = up in rows
    value = up if bare else f"{up}_value"
    present = rows[rows[value].notna()]
    axes.plot(present[across], present[value], color=colour, marker=marker, markersize=5, label=label)
    low, high = (f"{up}_low", f"{up}_high")
    for _, row in present.iterrows():
        if low in rows and pd.notna(row[low]):
            ends = {f"{up}_value": row[value], low: row[low], high: row[high]}
            axes.errorbar(
                row[across], row[value], yerr=arms(ends, up), color=colour, elinewidth=1, fmt="none"
            )


def _ticks(axes: Axes, settings: list[float]) -> None:
    if min(settings) > 0 and max(settings) / min(settings) > _WIDE:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(settings, [f"{value:g}" for value in settings])
