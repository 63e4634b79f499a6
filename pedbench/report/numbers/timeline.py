"""The steps of one pass that stands for a run, with start and end."""

from __future__ import annotations

import pandas as pd

from pedbench.results.run import Run
from pedbench.results.summary import MOMENTS
from pedbench.validity.controls import controls

FEWEST = 2
"""Servers of a pass that says most: those of more servers repeat themselves."""


def timeline(run: Run) -> pd.DataFrame:
    """Return the steps of the pass with the median wall time, of the defense that calls the fewest servers above one.

    Where no defense calls two, it is one that calls a single server; controls are left out.

    Returns:
        Columns defense, link, image, step, server ("" on the edge), begins, ends (seconds since the pass began); empty
        where no pass of the run was timed in steps.
    """
    columns = ["defense", "link", "image", "step", "server", *MOMENTS]
    passes = []
    apart = {control.defense for control in controls(run) if control.name != "whole picture"}
    for record in run.of_kind("latency"):
        if record.status != "ok" or run.defense(record) in apart:
            continue
        values = run.values(record.cell_id)
        steps = values[values["metric"].isin(MOMENTS)]
        servers = steps.loc[steps["servers"] != "", "servers"].nunique()
        if servers:
            passes.append((servers < FEWEST, servers, len(passes), record, values, steps))
    if not passes:
        return pd.DataFrame(columns=columns)
    *_, record, values, steps = min(passes, key=lambda each: each[:3])
    whole = values[(values["metric"] == "wall") & (values["region"] == "end to end")].sort_values("value")
    image = whole["image"].iloc[(len(whole) - 1) // 2]
    wide = steps[steps["image"] == image].pivot_table(
        index=["tag", "region", "servers"], columns="metric", values="value"
    )
    rows = wide.reset_index().rename(columns={"region": "step", "servers": "server"})
    rows = rows.assign(defense=run.defense(record), link=record.cell["link"], image=image)
    return rows.sort_values([*MOMENTS])[columns].reset_index(drop=True)
