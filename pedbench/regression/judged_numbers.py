"""The numbers of a record that are judged, and the values that each of them is computed from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from pedbench.privacy.claims import UNDEFENDED
from pedbench.results.claim_summary import PLANTED
from pedbench.results.records import MetricValue, Record
from pedbench.results.statistics import worst_coalition, worst_coalition_rows
from pedbench.results.summary import ANY_PIXEL, EXPOSURE_LEVELS, RETRIEVAL, SIZES

COLUMNS = ["metric", "region", "image", "annotation", "value"]

_ATTACKED = re.compile(r"(leakage|advantage)\[[^]]*\]")
_EXPOSED = re.compile(r"(secret exposure|exposure) (.*)")
_LEVELS = {**ANY_PIXEL, **EXPOSURE_LEVELS}


def is_judged(cell: Mapping[str, Any], metric: MetricValue) -> bool:
    """Return whether a number is judged: the means that the tables of a report begin with.

    Args:
        cell: `Cell.as_dict()`.
    """
    name, region = metric.name, metric.region
    if cell["kind"] in ("utility", "integrity"):
        return region in ("all", "ML") and not name.endswith(", per picture")
    if cell["kind"] == "latency":
        return name.startswith("bytes")
    if "probe" in cell:
        return region == PLANTED
    if "attack" in cell:
        return bool(_ATTACKED.fullmatch(name) or RETRIEVAL.fullmatch(name))
    return region in ("", "all")


def judged_values(record: Record, values: pd.DataFrame) -> pd.DataFrame:
    """Return the values whose means are a record's judged numbers, one row for each picture or annotation.

    Args:
        values: All of the cell.

    Returns:
        Columns `COLUMNS`; annotation is -1 where the value is about the whole picture.
    """
    frames = [pd.DataFrame(columns=COLUMNS)]
    for metric in record.metrics:
        if is_judged(record.cell, metric):
            rows = _rows(record.cell, metric, values)
            each = rows.groupby(["image", "annotation"], sort=True)["value"].mean().reset_index()
            frames.append(each.assign(metric=metric.name, region=metric.region)[COLUMNS])
    return pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)


def _rows(cell: Mapping[str, Any], metric: MetricValue, values: pd.DataFrame) -> pd.DataFrame:
    """Return the columns image, annotation and value, whose mean is the number."""
    of_name = values[values["metric"] == metric.name]
    if cell["kind"] in ("utility", "integrity"):
        of_prompt = values[values["metric"] == re.sub(r"^mIoU\[", "IoU[", metric.name)]
        sizes = SIZES.get(metric.region)
        return of_prompt if sizes is None else of_prompt[of_prompt["tag"].str.split().str[0].isin(sizes)]
    if cell["kind"] == "latency":
        return of_name.groupby("image")["value"].sum().reset_index().assign(annotation=-1)
    if "probe" in cell:
        itself = metric.name.endswith(f"[{UNDEFENDED}]")
        return of_name if itself else worst_coalition_rows(of_name, metric.better)
    if exposed := _EXPOSED.fullmatch(metric.name):
        shares = values[values["metric"] == exposed[1]]
        return shares.assign(value=(shares["value"] >= _LEVELS[exposed[2]]).astype(float))
    return worst_coalition(of_name[of_name["region"] == metric.region], metric.better).assign(annotation=-1)
