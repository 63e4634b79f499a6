"""The steps of one pass that stands for a run, with start and end."""

from __future__ import annotations

import pandas as pd

from pedbench.results.records import Record
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
    apart = {control.defense for control in controls(run) if control.name != "whole picture"}
    passes: list[tuple[int, Record]] = []
    for timed in run.of_kind("latency"):
        if timed.status == "ok" and run.defense(timed) not in apart:
            called = _steps(run, timed)["servers"]
            passes.append((called[called != ""].nunique(), timed))
    passes = sorted((each for each in passes if each[0]), key=lambda each: (each[0] < FEWEST, each[0]))
    if not passes:
        return pd.DataFrame(columns=columns)
    record = passes[0][1]
    values = run.values(record.cell_id)
    whole = values[(values["metric"] == "wall") & (values["region"] == "end to end")].sort_values("value")
    image = whole["image"].iloc[(len(whole) - 1) // 2]
    steps = _steps(run, record)
    wide = steps[steps["image"] == image].pivot_table(
        index=["tag", "region", "servers"], columns="metric", values="value"
    )
    rows = wide.reset_index().rename(columns={"region": "step", "servers": "server"})
    rows = rows.assign(defense=run.defense(record), link=record.cell["link"], image=image)
    ordered: pd.DataFrame = rows[columns].sort_values([*MOMENTS], ignore_index=True)
    return ordered


def _steps(run: Run, record: Record) -> pd.DataFrame:
    values = run.values(record.cell_id)
    return values[values["metric"].isin(MOMENTS)]
