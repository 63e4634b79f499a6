"""Figures of a run, drawn from its combined table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pedbench.report.figures.label_placement import Segment, place_labels
from pedbench.report.numbers.combined import rules_of
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.report.words.text import one_line
from pedbench.results.run import Run

SYNTHETIC = frozenset({"scenes"})
"""Datasets whose pictures are rendered."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
_LONGEST = 40
STYLE: Any = {"svg.hashsalt": "pedbench", "font.size": 9.0}


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure with the words that belong to it.

    Attributes:
        name: Stem of its files.
        title: What it shows, in a few words.
    """

    name: str
    title: str
    caption: str
    figure: Figure

    def _repr_png_(self) -> bytes:
        """Return the figure as PNG, which notebooks show."""
        content = BytesIO()
        with mpl.rc_context(STYLE):
            self.figure.savefig(content, format="png")
        return content.getvalue()


def privacy_utility(run: Run, combined: pd.DataFrame, sweeps: pd.DataFrame) -> Drawing | None:
    """Leakage of the strongest attack against retained utility, one panel for each coalition rule.

    Args:
        combined: From `combined`.
        sweeps: From `curves.sweeps`, whose defenses are joined by lines.

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
    return _against(run, combined, sweeps, axis, "privacy_utility", "Privacy against utility")


def privacy_latency(run: Run, combined: pd.DataFrame, sweeps: pd.DataFrame) -> Drawing | None:
    """Draw privacy against the time from the picture to the embedding on this host."""
    frame = combined.copy()
    parts = [name for name in ("value", "low", "high") if not combined.empty]
    for part in parts:
        frame[f"wall_ms_{part}"] = combined[f"wall_p50_{part}"] * 1e3
    link = "" if combined.empty else next((name for name in combined["link"] if name), "")
    axis = _Axis(column="wall_ms", label=f"wall p50 in ms, link {link}", upwards=False)
    return _against(run, frame, sweeps, axis, "privacy_latency", "Privacy against latency")


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """The horizontal axis against which privacy is drawn.

    Attributes:
        column: Of the combined table, without _value.
        upwards: Whether more of it is better.
    """

    column: str
    label: str
    upwards: bool


def _against(
    run: Run, combined: pd.DataFrame, sweeps: pd.DataFrame, axis: _Axis, name: str, title: str
) -> Drawing | None:
    if combined.empty:
        return None
    across = axis.column
    panels = [
        (rule, combined.dropna(subset=[f"{across}_value", f"leakage_{rule}_value"]))
        for rule in rules_of(combined)
    ]
    panels = [(rule, rows) for rule, rows in panels if not rows.empty]
    if not panels:
        return None
    leakage = combined.iloc[0]["leakage_metric"]
    kind = "synthetic pictures" if run.suite.dataset.name in SYNTHETIC else "pictures"
    basis = f"{run.pictures} {kind} ({run.suite.dataset.name}), model {run.suite.model}"
    with mpl.rc_context(STYLE), sns.axes_style("whitegrid"):
        figure = Figure(figsize=(5.2 * len(panels) + 0.4, 4.6), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        columns = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        looks = dict(zip(combined["defense"], looks_of(len(combined)), strict=True))
        for axes, (rule, rows) in zip(columns, panels, strict=True):
            _curves(axes, rows, sweeps, across, f"leakage_{rule}")
            _front(axes, rows, axis, f"leakage_{rule}")
            _scatter(axes, rows, across, f"leakage_{rule}", looks)
            axes.set_title(f"coalitions of {short_rule(rule)}")
            better = "→" if axis.upwards else "←"
            axes.set_xlabel(drawable(f"{axis.label} ({better} better)"), parse_math=False)
        columns[0].set_ylabel(drawable(f"{leakage} of the strongest attack (↓ better)"), parse_math=False)
        figure.suptitle(drawable(f"{basis}; bars: 95 % intervals"), parse_math=False, fontsize=9)
        figure.draw_without_rendering()
        for axes, (rule, rows) in zip(columns, panels, strict=True):
            names = [shortened(drawable(name)) for name in rows["defense"]]
            xs, ys = (rows[f"{name}_value"].to_list() for name in (across, f"leakage_{rule}"))
            place_labels(axes, names, xs, ys, list(_bars(rows, across, f"leakage_{rule}")))
    absent = [
        name for name in combined["defense"] if all(name not in set(rows["defense"]) for _, rows in panels)
    ]
    caption = (
        f"{title}: {leakage} of the strongest attack over {axis.label}, with 95 % bootstrap intervals; lower "
        f"{'right' if axis.upwards else 'left'} is better. Dashed: the Pareto front, than whose defenses none is "
        f"better in both. +2: two more at the same place. {basis}."
    )
    if len(sweeps):
        caption += " Lines join the settings of one defense."
    bounds = [
        name for rule, rows in panels for name in rows.loc[~rows[f"privacy_complete_{rule}"], "defense"]
    ]
    if bounds:
        caption += f" Lower bounds, as an attack failed: {', '.join(dict.fromkeys(bounds))}."
    if absent:
        caption += f" Not shown, for want of one of the numbers: {', '.join(absent)}."
    return Drawing(name=name, title=title, caption=caption, figure=figure)


def _curves(axes: Axes, rows: pd.DataFrame, sweeps: pd.DataFrame, across: str, up: str) -> None:
    """Join the points of each sweep in the order of its settings."""
    if sweeps.empty:
        return
    points = rows.set_index("defense")
    for _, swept in sweeps.groupby(["sweep", "parameter"], sort=False):
        members = [name for name in swept["defense"] if name in points.index]
        line = points.loc[members]
        axes.plot(line[f"{across}_value"], line[f"{up}_value"], color="0.55", linewidth=1, zorder=1)


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


def save(drawing: Drawing, folder: Path) -> Path:
    """Write NAME.svg and NAME.png.

    Returns:
        The path of the PNG.
    """
    folder.mkdir(exist_ok=True)
    path = folder / f"{drawing.name}.png"
    with mpl.rc_context(STYLE):
        # Without a date, the same run gives the same file.
        drawing.figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
        drawing.figure.savefig(path)
    return path


def looks_of(count: int) -> Iterator[tuple[Any, str]]:
    """Yield colours and markers that tell points apart with any kind of colour vision."""
    pairs = zip(cycle(sns.color_palette("colorblind")), cycle(_MARKERS), strict=False)
    return (next(pairs) for _ in range(count))


def _scatter(
    axes: Axes, rows: pd.DataFrame, across: str, up: str, looks: Mapping[str, tuple[Any, str]]
) -> None:
    for _, row in rows.iterrows():
        colour, marker = looks[row["defense"]]
        axes.errorbar(
            row[f"{across}_value"],
            row[f"{up}_value"],
            xerr=arms(row, across),
            yerr=arms(row, up),
            color=colour,
            marker=marker,
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


def arms(row: Any, name: str) -> Any:
    """Return the interval's lengths below and above the value, (2, 1); 0 for an end on the wrong side by chance."""
    value, low, high = (row[f"{name}_{part}"] for part in ("value", "low", "high"))
    return None if pd.isna(low) else np.maximum([[value - low], [high - value]], 0)


def drawable(text: str) -> str:
    """Return text with the letters that the figure's font lacks as escapes."""
    plain = one_line(text)
    return "".join(
        c if ord(c) < 256 or c in "→↑↓←" else c.encode("ascii", "backslashreplace").decode() for c in plain
    )


def shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
