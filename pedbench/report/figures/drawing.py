"""Figures with their words, and the looks that all of them share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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

from pedbench.report.words.text import one_line
from pedbench.results.run import Run

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
_DARK = (0, 1, 2, 3, 4, 5, 9)
"""Places of the palette's colours that stand out from white, also in grey."""

_LINES = ("-", "--", "-.", ":")
_LONGEST = 40
STYLE: Any = {"svg.hashsalt": "pedbench", "font.size": 9.0}
"""Settings of matplotlib."""


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


@contextmanager
def styled_figure(width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of a size in inches; what is drawn within the context has the style of all figures."""
    with mpl.rc_context(STYLE), sns.axes_style("whitegrid"):
        figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


@contextmanager
def styled_panels(
    count: int, across: int, width: float, height: float, above: float = 0.0
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Yield a figure with some panels, and the panels.

    Args:
        count: Number of panels.
        across: Number of panels next to each other.
        width: Width of a panel in inches.
        height: Height of a panel in inches.
        above: Height in inches of what stands above all panels.
    """
    lines = -(-count // across)
    with styled_figure(width * across, height * lines + above) as figure:
        panels = list(figure.subplots(lines, across, squeeze=False).ravel())
        for axes in panels[count:]:
            axes.set_visible(False)
        yield figure, panels[:count]


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


@dataclass(frozen=True, kw_only=True)
class Look:
    """Looks of a plugin wherever it is drawn: it is told apart by colour, and without colour by marker and line."""

    colour: str
    marker: str
    line: str


def run_looks(run: Run) -> dict[str, Look]:
    """Return the look of each plugin of a run's defenses, in the order of the suite."""
    return plugin_looks(identity["name"] for identity in run.defenses.values())


def plugin_looks(names: Iterable[str]) -> dict[str, Look]:
    """Return the look of each plugin, in the order of their first occurrence."""
    colours = cycle(sns.color_palette("colorblind").as_hex()[i] for i in _DARK)
    lines = cycle(_LINES)
    looks = zip(dict.fromkeys(names), colours, cycle(_MARKERS), lines, strict=False)
    return {name: Look(colour=colour, marker=marker, line=line) for name, colour, marker, line in looks}


def looks_of(count: int) -> Iterator[tuple[Any, str]]:
    """Yield colours and markers that tell points apart with any kind of colour vision."""
    pairs = zip(cycle(sns.color_palette("colorblind")), cycle(_MARKERS), strict=False)
    return (next(pairs) for _ in range(count))


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
    """Return a name that fits next to a point."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
