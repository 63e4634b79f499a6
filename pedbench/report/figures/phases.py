"""Figures of the phases of a pass: where its time goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import seaborn as sns

from pedbench.report.figures.drawing import Drawing, drawable, shortened, styled_figure
from pedbench.report.words.text import PHASES, three_figures

_WAYS = {
    "wall": "Wall: all servers share this host",
    "turn-taking": "Turn-taking: each server computes alone, composed",
    "projected": "Projected to the suite's devices, not measured",
}


def phase_figures(latency: pd.DataFrame) -> Iterator[Drawing]:
    """Yield one figure for each way in which a run's passes were timed.

    Args:
        latency: From `tidy.latency`.
    """
    for way, title in _WAYS.items():
        rows = latency[(latency["metric"] == f"{way} p50") & latency["value"].notna()]
        if rows.empty:
            continue
        columns = {**{phase: phase for phase in PHASES[:-1]}, "end to end": "p50"}
        wide = rows.assign(value=rows["value"] * 1e3).pivot_table(
            index=["link", "defense"], columns="region", values="value", sort=False
        )
        wide = wide.reindex(columns=list(columns)).rename(columns=columns).reset_index()
        caption = (
            f"{title}. Medians of the phases, from picture to embedding; on the right the p50 of the whole."
        )
        yield phase_bars(f"phases_{way}", title, wide, list(dict.fromkeys(wide["link"])), "ms", caption)


def phase_bars(
    name: str, title: str, rows: pd.DataFrame, shown: Sequence[str], unit: str, caption: str
) -> Drawing:
    """Stacked medians of the phases, one bar a defense, one panel a link.

    Args:
        name: Of the figure's files.
        title: The way of measuring.
        rows: Columns defense, link, p50 and one per phase that counts, in the unit.
        shown: Links.
    """
    defenses = list(dict.fromkeys(rows["defense"]))
    phases = [phase for phase in PHASES if phase in rows]
    colours = sns.color_palette("colorblind", len(PHASES))
    with styled_figure(4.6 * len(shown) + 1.8, 0.42 * len(defenses) + 1.7) as figure:
        panels = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
        reach = 0.0
        for axes, link in zip(panels, shown, strict=True):
            of_link = rows[rows["link"] == link].set_index("defense").reindex(defenses)
            left = np.zeros(len(defenses))
            for phase, colour in zip(phases, colours, strict=False):
                widths = np.nan_to_num(of_link[phase].to_numpy(float))
                axes.barh(defenses, widths, left=left, color=colour, label=_named(phase), height=0.66)
                left += widths
            for place, (_, row) in enumerate(of_link.iterrows()):
                if pd.notna(row["p50"]):
                    axes.text(
                        left[place], place, f"  {three_figures(row['p50'])} {unit}", va="center", fontsize=8
                    )
            reach = max(reach, left.max())
            axes.set_title(drawable(link), parse_math=False)
            axes.set_xlabel(unit)
            axes.grid(axis="y", visible=False)
        panels[0].set_yticks(range(len(defenses)), [shortened(drawable(name)) for name in defenses])
        panels[0].invert_yaxis()
        panels[0].set_xlim(0, reach * 1.2)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(phases), frameon=False, fontsize=8
        )
        figure.suptitle(title, fontsize=9)
    return Drawing(name=name, title="Time by phase", caption=caption, figure=figure)


def _named(phase: str) -> str:
    return "edge blocks" if phase == "edge" else phase
