"""Figures of a run, drawn from its combined table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

from pedbench.report.label_placement import Segment, place_labels
from pedbench.report.overview import headline, rules_of, short_rule
from pedbench.report.run import Run
from pedbench.report.text import one_line

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


def privacy_utility(run: Run, combined: pd.DataFrame) -> Drawing | None:
    """Leakage of the strongest attack against retained utility, one panel for each coalition rule.

    Args:
        combined: From `combined.combine`.

    Returns:
        None where no defense has both numbers.
    """
    if combined.empty:
        return None
    utility = "retention" if combined["retention_value"].notna().any() else "utility"
    panels = [
        (rule, combined.dropna(subset=[f"{utility}_value", f"leakage_{rule}_value"]))
        for rule in rules_of(combined)
    ]
    panels = [(rule, rows) for rule, rows in panels if not rows.empty]
    if not panels:
        return None
    what = f"retention of {headline(combined)}" if utility == "retention" else headline(combined)
    leakage = combined.iloc[0]["leakage_metric"]
    kind = "synthetic pictures" if run.suite.dataset.name in SYNTHETIC else "pictures"
    basis = f"{run.pictures} {kind} ({run.suite.dataset.name}), model {run.suite.model}"
    with mpl.rc_context(STYLE), sns.axes_style("whitegrid"):
        figure = Figure(figsize=(5.2 * len(panels) + 0.4, 4.6), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        columns = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        looks = dict(zip(combined["defense"], looks_of(len(combined)), strict=True))
        for axes, (rule, rows) in zip(columns, panels, strict=True):
            _scatter(axes, rows, utility, f"leakage_{rule}", looks)
            axes.set_title(f"coalitions of {short_rule(rule)}")
            axes.set_xlabel(drawable(f"{what} (→ better)"), parse_math=False)
        columns[0].set_ylabel(drawable(f"{leakage} of the strongest attack (↓ better)"), parse_math=False)
        figure.suptitle(drawable(f"{basis}; bars: 95 % intervals"), parse_math=False, fontsize=9)
        figure.draw_without_rendering()
        for axes, (rule, rows) in zip(columns, panels, strict=True):
            names = [shortened(drawable(name)) for name in rows["defense"]]
            xs, ys = (rows[f"{name}_value"].to_list() for name in (utility, f"leakage_{rule}"))
            place_labels(axes, names, xs, ys, list(_bars(rows, utility, f"leakage_{rule}")))
    absent = [
        name for name in combined["defense"] if all(name not in set(rows["defense"]) for _, rows in panels)
    ]
    caption = (
        f"Privacy against utility: {leakage} of the strongest attack over {what}, with 95 % bootstrap "
        f"intervals; lower right is better. {basis}."
    )
    bounds = [
        name for rule, rows in panels for name in rows.loc[~rows[f"privacy_complete_{rule}"], "defense"]
    ]
    if bounds:
        caption += f" Lower bounds, as an attack failed: {', '.join(dict.fromkeys(bounds))}."
    if absent:
        caption += f" Not shown, for want of one of the numbers: {', '.join(absent)}."
    return Drawing(name="privacy_utility", title="Privacy against utility", caption=caption, figure=figure)


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
    """Colours and markers that tell points apart with any kind of colour vision."""
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
    """Lengths below and above the value, (2, 1); an end on the wrong side, by chance, has none."""
    value, low, high = (row[f"{name}_{part}"] for part in ("value", "low", "high"))
    return None if pd.isna(low) else np.maximum([[value - low], [high - value]], 0)


def drawable(text: str) -> str:
    """What the figure's font can draw; other letters as escapes."""
    plain = one_line(text)
    return "".join(
        c if ord(c) < 256 or c in "→↑↓" else c.encode("ascii", "backslashreplace").decode() for c in plain
    )


def shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
