"""Figure of one pass over time: the edge, and each server with its link."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import seaborn as sns

from pedbench.report.figures.drawing import Drawing, drawable, shortened, styled_figure

_PALETTE = sns.color_palette("colorblind")
STEPS: Mapping[str, tuple[str, object, float]] = {
    "prepare": ("edge prepares messages", _PALETTE[1], 0.7),
    "edge": ("edge computes", _PALETTE[0], 0.7),
    "uplink": ("message under way", _PALETTE[4], 0.25),
    "waiting": ("message waits", "0.8", 0.25),
    "server": ("server computes", _PALETTE[2], 0.7),
    "downlink": ("reply under way", _PALETTE[5], 0.25),
}
"""Label, colour and height of each step's bars."""


def timeline_figure(steps: pd.DataFrame) -> Drawing | None:
    """Draw the steps of a pass, a lane for the edge and for each server; None where there are none.

    Args:
        steps: From `report.numbers.timeline.timeline`.
    """
    if steps.empty:
        return None
    lanes = sorted(steps["server"].unique(), key=lambda server: int(server or -1))
    defense, link = (str(steps[column].iloc[0]) for column in ("defense", "link"))
    title = f"One pass of {shortened(drawable(defense))} over {drawable(link)}"
    with styled_figure(8.0, 0.34 * len(lanes) + 1.5) as figure:
        axes = figure.subplots()
        for step, (label, colour, height) in STEPS.items():
            rows = steps[steps["step"] == step]
            if len(rows):
                axes.barh(
                    [lanes.index(server) for server in rows["server"]],
                    (rows["ends"] - rows["begins"]) * 1e3,
                    left=rows["begins"] * 1e3,
                    height=height,
                    color=colour,
                    edgecolor="white",
                    linewidth=0.3,
                    label=label,
                )
        axes.set_yticks(range(len(lanes)), [f"server {server}" if server else "edge" for server in lanes])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, steps["ends"].max() * 1e3)
        axes.set_xlabel("ms since the picture was there")
        axes.set_title(title, fontsize=9, parse_math=False)
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return Drawing(
        name="timeline",
        title="A pass over time",
        caption=f"{title}: the pass with the median wall time, from picture to embedding. Thin bars are messages and "
        "replies under way or waiting. All servers share this host.",
        figure=figure,
    )
