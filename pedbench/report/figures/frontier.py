"""The figure of the frontier: utility against leakage of every strength, one panel a measure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from pedbench.report.figures.drawing import Drawing, Look, arms, drawable, styled_panels
from pedbench.report.figures.label_placement import place_labels
from pedbench.report.words.legend import utility_title
from pedbench.results.run import Run

_PANEL = 4.8, 3.5
"""Width and height of a panel in inches."""


def frontier_figure(
    run: Run, frontier: pd.DataFrame, combined: pd.DataFrame, looks: Mapping[str, Look]
) -> Drawing | None:
    """Draw utility against leakage of each strength, one panel a measure.

    Args:
        frontier: From `numbers.frontier`.
        looks: By plugin.

    Returns:
        None without a curve.
    """
    if frontier.empty:
        return None
    measures = list(dict.fromkeys(frontier["measure"]))
    # Three in a row, four in a square.
    across = 3 if len(measures) == 3 else 2
    with styled_panels(len(measures), across, *_PANEL, above=0.5) as (figure, grid):
        for axes, measure in zip(grid, measures, strict=True):
            rows = frontier[frontier["measure"] == measure]
            for name, curve in rows.groupby("curve", sort=False):
                _curve(axes, curve, looks[str(name)])
            axes.set_xlabel(drawable(f"{measure} (← better)"), parse_math=False)
            axes.set_ylabel(drawable(f"{utility_title(combined)} (↑ better)"), parse_math=False)
            axes.margins(0.08)
        lines = [line for axes in grid for line in axes.lines]
        handles = {str(line.get_label()): line for line in lines if str(line.get_label())[0] != "_"}
        figure.legend([*handles.values()], [*handles], loc="outside upper center", ncols=5, fontsize=8.5)
        figure.draw_without_rendering()
        for axes, measure in zip(grid, measures, strict=True):
            studied = frontier[(frontier["measure"] == measure) & frontier["studied"]]
            names = [f"{setting:g}" for setting in studied["setting"]]
            xs, ys = (studied[f"{name}_value"].to_list() for name in ("leakage", "utility"))
            points = list(zip(xs, ys, strict=True))
            ends = zip(studied["leakage_low"], studied["leakage_high"], ys, strict=True)
            bars = [((low, y), (high, y)) for low, high, y in ends if pd.notna(low) and pd.notna(high)]
            place_labels(axes, names, xs, ys, [*pairwise(points), *bars])
    studied = frontier[frontier["studied"]]
    labelled = (
        f" Labels: {studied['parameter'].iloc[0]} of {studied['curve'].iloc[0]}." if len(studied) else ""
    )
    caption = (
        f"{utility_title(combined)} against what the worst server learns, by each measure: upper left is better. Lines "
        f"join the strengths of one defense, each with the network that keeps most of its utility.{labelled} "
        f"Bars: 95 % bootstrap intervals over {frontier['n'].max()} pictures; open marks: lower bounds (≥)."
    )
    return Drawing(
        name="frontier", title="Utility against leakage by strength", caption=caption, figure=figure
    )


def _curve(axes: Axes, rows: pd.DataFrame, look: Look) -> None:
    rows = rows.sort_values("setting")
    studied = bool(rows["studied"].iloc[0])
    axes.plot(
        rows["leakage_value"], rows["utility_value"], color=look.colour, linestyle="-" if studied else look.line,
        linewidth=2.2 if studied else 1.2, label=drawable(str(rows["curve"].iloc[0])),
        marker=look.marker, markersize=7 if studied else 5, zorder=3 if studied else 2,
    )  # fmt: skip
    for _, row in rows.iterrows():
        ends: dict[str, Any] = {"xerr": arms(row, "leakage"), "yerr": arms(row, "utility")}
        axes.errorbar(
            row["leakage_value"],
            row["utility_value"],
            **ends,
            color=look.colour,
            elinewidth=0.9,
            fmt="none",
            alpha=0.6,
        )
        if row["bound"]:
            axes.plot(
                row["leakage_value"], row["utility_value"], color=look.colour, marker=look.marker,
                markerfacecolor="white", markersize=7 if studied else 5, zorder=4,
            )  # fmt: skip
