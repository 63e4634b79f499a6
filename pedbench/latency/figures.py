"""Figures of times: phases, time against the number of servers, and time against the link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from pedbench.latency.tables import counted, unit_of
from pedbench.network.links import links
from pedbench.report.figures.phases import phase_bars
from pedbench.report.figures.scatter import STYLE, Drawing, arms, drawable, looks_of, shortened
from pedbench.report.words.text import PHASES


def drawings(summary: pd.DataFrame, measured: Sequence[str], titles: Mapping[str, str]) -> Iterator[Drawing]:
    """All figures; each is about one way of measuring.

    Args:
        summary: From `timings.summarise`, with at least one number.
        measured: The links that get a panel of their own.
        titles: By way of measuring.
    """
    for way, title in titles.items():
        rows = summary[(summary["way"] == way) & summary["p50"].notna()]
        shown = [link for link in measured if link in set(rows["link"])]
        if rows.empty or not shown:
            continue
        unit, factor = unit_of(rows)
        times = ["p50", "p50_low", "p50_high", *PHASES]
        rows = rows.assign(**{name: rows[name].astype(float) * factor for name in times})
        caption = (
            f"{title}. Medians of the phases, from the picture to a mask; on the right the p50 of the whole."
        )
        named = rows.assign(defense=_names(rows))
        yield phase_bars(f"{way}-phases", title, named, shown, unit, caption)
        swept = _swept(rows)
        if swept is not None:
            yield _against_servers(way, title, rows, swept, shown, unit)
        if rows["link"].nunique() > 1:
            yield _against_link(way, title, rows, unit)


def _swept(rows: pd.DataFrame) -> pd.DataFrame | None:
    """The rows of the first defense at several numbers of servers."""
    for name in dict.fromkeys(rows["defense"]):
        found: pd.DataFrame = rows[rows["defense"] == name]
        if found["servers"].nunique() > 1:
            return found
    return None


def _against_servers(
    way: str, title: str, rows: pd.DataFrame, swept: pd.DataFrame, shown: Sequence[str], unit: str
) -> Drawing:
    """p50 against the number of servers, with what does not depend on it as lines across."""
    with mpl.rc_context(STYLE), sns.axes_style("whitegrid"):
        figure = Figure(figsize=(3.9 * len(shown) + 0.6, 3.4), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        curved = swept["defense"].iloc[0]
        others = [name for name in dict.fromkeys(rows["defense"]) if name != curved]
        look, *flat_looks = looks_of(1 + len(others))
        for axes, link in zip(panels, shown, strict=True):
            curve = swept[swept["link"] == link].sort_values("servers")
            _line(axes, curve, curve["servers"], curved, look)
            for name, (colour, _), dashes in zip(others, flat_looks, cycle(_DASHES), strict=False):
                for p50 in rows.loc[(rows["link"] == link) & (rows["defense"] == name), "p50"]:
                    label = shortened(drawable(name))
                    axes.axhline(p50, color=colour, linestyle=dashes, linewidth=1.4, label=label)
            counts = sorted(set(swept["servers"]))
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xticks(counts, [f"{count:.0f}" for count in counts])
            axes.set_xlabel("servers")
            axes.set_title(drawable(link), parse_math=False)
        panels[0].set_ylabel(f"p50, {unit} (↓ better)")
        panels[0].set_ylim(0, panels[0].get_ylim()[1])
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=7.5
        )
        figure.suptitle(title, fontsize=9)
    caption = f"{title}. Time against the number of servers, with 95 % bootstrap intervals."
    return Drawing(name=f"{way}-servers", title="Time against servers", caption=caption, figure=figure)


def _against_link(way: str, title: str, rows: pd.DataFrame, unit: str) -> Drawing:
    """p50 against the link, the slowest one to the right."""
    ordered = [link for link in sorted(links(), key=_slowness) if link in set(rows["link"])]
    places = {link: place for place, link in enumerate(ordered)}
    names = _names(rows)
    with mpl.rc_context(STYLE), sns.axes_style("whitegrid"):
        figure = Figure(figsize=(1.1 * len(ordered) + 3.4, 3.8), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for name, look in zip(dict.fromkeys(names), looks_of(names.nunique()), strict=True):
            line = rows[names == name].assign(place=rows["link"].map(places)).sort_values("place")
            _line(axes, line, line["place"], name, look)
        axes.set_ylim(0, axes.get_ylim()[1])
        axes.set_ylabel(f"p50, {unit} (↓ better)")
        axes.set_xticks(range(len(ordered)), [_rates(link) for link in ordered], fontsize=8)
        axes.margins(x=0.06)
        figure.legend(loc="outside right center", fontsize=7.5)
        axes.set_title(title, fontsize=9)
    caption = f"{title}. Time against the link, with 95 % bootstrap intervals."
    return Drawing(name=f"{way}-links", title="Time against the link", caption=caption, figure=figure)


_DASHES = ("--", ":", "-.", (0, (5, 1)))


def _line(axes: Axes, rows: pd.DataFrame, across: pd.Series[Any], label: str, look: tuple[Any, str]) -> None:
    colour, marker = look
    axes.plot(
        across, rows["p50"], color=colour, marker=marker, markersize=5, label=shortened(drawable(label))
    )
    for x, (_, row) in zip(across, rows.iterrows(), strict=True):
        ends = {"p50_value": row["p50"], "p50_low": row["p50_low"], "p50_high": row["p50_high"]}
        axes.errorbar(x, row["p50"], yerr=arms(ends, "p50"), color=colour, elinewidth=1, fmt="none")


def _slowness(link: str) -> float:
    """Orders links by what their uplink takes for a megabyte."""
    up = links()[link].up
    return up.delay / 1000 + (8 / up.rate if up.rate else 0.0)


def _rates(link: str) -> str:
    found = links()[link]
    if not found.emulated:
        return link
    return f"{link}\n{found.up.rate:g} up\n{found.down.rate:g} down\nMbit/s"


def _names(rows: pd.DataFrame) -> pd.Series[str]:
    pairs = zip(rows["defense"], rows["servers"], strict=True)
    return pd.Series([counted(*pair) for pair in pairs], index=rows.index)
