"""Figures of a run, visible from its combined table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pedbench.report.figures.drawing import Drawing, Look, arms, drawable, shortened, styled_figure
from pedbench.report.figures.label_placement import Point, Segment, place_labels
from pedbench.report.numbers.combined import measures_of, rules_of
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.results.run import Run

SYNTHETIC = frozenset({"scenes"})
"""Datasets whose pictures are rendered."""


def privacy_utility(
    run: Run, combined: pd.DataFrame, sweeps: pd.DataFrame, looks: Mapping[str, Look]
) -> Drawing | None:
    """Draw leakage against retained utility, one panel for each distance and coalition rule.

    Args:
        combined: From `combined`.
        sweeps: From `curves.sweeps`, whose defenses are joined by lines.
        looks: By plugin.

    Returns:
        None where no defense has both numbers.
    """
    retained = not combined.empty and combined["retention_value"].notna().any()
    axis = _Axis(
        column="retention" if retained else "utility",
        label=""
        if combined.empty
        else (f"retention of {utility_title(combined)}" if retained else utility_title(combined)),
        upwards=True,
    )
    return _against(run, combined, sweeps, axis, looks, ("privacy_utility", "Privacy against utility"))


def privacy_latency(
    run: Run, combined: pd.DataFrame, sweeps: pd.DataFrame, looks: Mapping[str, Look]
) -> Drawing | None:
    """Draw privacy against the time from the picture to the embedding on this host."""
    frame = combined.copy()
    parts = [name for name in ("value", "low", "high") if not combined.empty]
    for part in parts:
        frame[f"wall_ms_{part}"] = combined[f"wall_p50_{part}"] * 1e3
    link = "" if combined.empty else next((name for name in combined["link"] if name), "")
    axis = _Axis(column="wall_ms", label=f"wall p50 in ms, link {link}", upwards=False)
    return _against(run, frame, sweeps, axis, looks, ("privacy_latency", "Privacy against latency"))


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """The horizontal axis against which privacy is visible.

    Attributes:
        column: Of the combined table, without _value.
        upwards: Whether more of it is better.
    """

    column: str
    label: str
    upwards: bool


def _against(
    run: Run,
    combined: pd.DataFrame,
    sweeps: pd.DataFrame,
    axis: _Axis,
    looks: Mapping[str, Look],
    titled: tuple[str, str],
) -> Drawing | None:
    """Draw a row of panels for each leakage, with a panel for each coalition rule.

    Args:
        titled: The figure's name and title.
    """
    name, title = titled
    if combined.empty:
        return None
    across = axis.column
    pairs = [(leakage, rule) for leakage in measures_of(combined) for rule in rules_of(combined)]
    shown = {pair: combined.dropna(subset=[f"{across}_value", f"{'_'.join(pair)}_value"]) for pair in pairs}
    leakages = [each for each in measures_of(combined) if any(len(shown[p]) for p in pairs if p[0] == each)]
    rules = [rule for rule in rules_of(combined) if any(len(shown[p]) for p in pairs if p[1] == rule)]
    if not leakages:
        return None
    kind = "synthetic pictures" if run.suite.dataset.name in SYNTHETIC else "pictures"
    basis = f"{run.pictures} {kind} ({run.suite.dataset.name}), model {run.suite.model}"
    with styled_figure(5.2 * len(rules) + 0.4, 4.3 * len(leakages) + 0.3) as figure:
        grid = figure.subplots(len(leakages), len(rules), sharex=True, sharey="row", squeeze=False)
        plugins = {label: looks[identity["name"]] for label, identity in run.defenses.items()}
        panels = {
            (leakage, rule): axes
            for leakage, line in zip(leakages, grid, strict=True)
            for rule, axes in zip(rules, line, strict=True)
        }
        for (leakage, rule), axes in panels.items():
            rows, up = shown[leakage, rule], f"{leakage}_{rule}"
            for curve in _curves(rows, sweeps, across, up):
                axes.plot(*np.array(curve).reshape(-1, 2).T, color="0.55", linewidth=1, zorder=1)
            _front(axes, rows[~rows[f"{up}_bound"].astype(bool)], axis, up)
            _scatter(axes, rows, across, up, plugins)
            axes.set_title(f"coalitions of {short_rule(rule)}")
        better = "→" if axis.upwards else "←"
        for axes in grid[-1]:
            axes.set_xlabel(drawable(f"{axis.label} ({better} better)"), parse_math=False)
        for axes, leakage in zip(grid[:, 0], leakages, strict=True):
            axes.set_ylabel(drawable(f"{leakage} (↓ better)"), parse_math=False)
        figure.suptitle(drawable(f"{basis}; bars: 95 % intervals"), parse_math=False, fontsize=9)
        figure.draw_without_rendering()
        for (leakage, rule), axes in panels.items():
            rows, up = shown[leakage, rule], f"{leakage}_{rule}"
            names = [shortened(drawable(name)) for name in rows["defense"]]
            xs, ys = (rows[f"{column}_value"].to_list() for column in (across, up))
            lines = [line for curve in _curves(rows, sweeps, across, up) for line in pairwise(curve)]
            place_labels(axes, names, xs, ys, [*_bars(rows, across, up), *lines])
    caption = (
        f"{title}: {', '.join(leakages)} of the attack that speaks over {axis.label}, with 95 % bootstrap intervals; "
        f"lower {'right' if axis.upwards else 'left'} is better. Dashed: the Pareto front, than whose defenses none is "
        f"better in both. +2: two more at the same place. {basis}."
    )
    return Drawing(name=name, title=title, caption=caption + _remarks(combined, sweeps, shown), figure=figure)


def _remarks(
    combined: pd.DataFrame, sweeps: pd.DataFrame, shown: Mapping[tuple[str, str], pd.DataFrame]
) -> str:
    """Return what the caption says about sweeps, lower bounds and defenses that are not shown."""
    remarks = " Lines join the settings of one defense." if len(sweeps) else ""
    bounds = [
        name for pair, rows in shown.items() for name in rows["defense"][rows[f"{'_'.join(pair)}_bound"]]
    ]
    if bounds:
        names = ", ".join(dict.fromkeys(bounds))
        remarks += f" Lower bounds (≥), which are no part of the front: {names}."
    visible = {name for rows in shown.values() for name in rows["defense"]}
    absent = [name for name in combined["defense"] if name not in visible]
    return remarks + (f" Not shown, for want of one of the numbers: {', '.join(absent)}." if absent else "")


def _curves(rows: pd.DataFrame, sweeps: pd.DataFrame, across: str, up: str) -> Iterator[list[Point]]:
    """Yield the points of each sweep in the order of its settings."""
    places = zip(rows[f"{across}_value"], rows[f"{up}_value"], strict=True)
    points = dict(zip(rows["defense"], places, strict=True))
    for _, swept in sweeps.groupby(["sweep", "parameter"], sort=False) if len(sweeps) else ():
        yield [points[name] for name in swept["defense"] if name in points]


def _front(axes: Axes, rows: pd.DataFrame, axis: _Axis, up: str) -> None:
    """Draw the stairs above which every defense is beaten by another on both axes, whatever the intervals."""
    sign = -1.0 if axis.upwards else 1.0
    points = rows.assign(cost=sign * rows[f"{axis.column}_value"]).sort_values(["cost", f"{up}_value"])
    best = points[f"{up}_value"].cummin()
    front = points[(points[f"{up}_value"] < best.shift(fill_value=np.inf))]
    axes.step(
        front[f"{axis.column}_value"],
        front[f"{up}_value"],
        where="post",
        color="0.3",
        linestyle="--",
        linewidth=0.9,
        zorder=1,
    )


def _scatter(axes: Axes, rows: pd.DataFrame, across: str, up: str, looks: Mapping[str, Look]) -> None:
    for _, row in rows.iterrows():
        look = looks[row["defense"]]
        axes.errorbar(
            row[f"{across}_value"],
            row[f"{up}_value"],
            xerr=arms(row, across),
            yerr=arms(row, up),
            color=look.colour,
            marker=look.marker,
            markersize=6,
            markeredgecolor="white",
            markeredgewidth=0.6,
            elinewidth=1,
        )
    axes.margins(0.18)


def _bars(rows: pd.DataFrame, across: str, up: str) -> Iterator[Segment]:
    for _, row in rows.iterrows():
        x, y = row[f"{across}_value"], row[f"{up}_value"]
        if pd.notna(row[f"{across}_low"]):
            yield (row[f"{across}_low"], y), (row[f"{across}_high"], y)
        if pd.notna(row[f"{up}_low"]):
            yield (x, row[f"{up}_low"]), (x, row[f"{up}_high"])
