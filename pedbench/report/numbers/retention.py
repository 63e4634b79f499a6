"""Retention: the share of the undefended model's mIoU that a defense keeps, paired by annotation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pedbench.results import statistics
from pedbench.results.records import Record
from pedbench.results.run import TRAINED_AS_LONG, Run

REGIONS: Mapping[str, tuple[str, ...] | None] = {"all": None, "ML": ("M", "L")}
"""Regions for which retention is computed, each with the size classes that it is confined to."""

COLUMNS = [
    "retention", "retention_low", "retention_high", "retention_n", "retention_reference", "retention_reason",
]  # fmt: skip

SHORTER = ", trained less"
"""Marks the reference of a fine-tuned row in a run without an undefended model that was trained as long."""


def retentions(run: Run) -> pd.DataFrame:
    """Return the retention of every mIoU of every utility cell that is ok.

    Returns:
        Columns cell_id, metric, region and `COLUMNS`; the reference is what tables call the undefended defense, the
        reason says why there is no number.
    """
    rows = []
    for record in run.of_kind("utility"):
        if record.status != "ok":
            continue
        name, reference = _undefended(run, record)
        values = run.values(record.cell_id)
        for metric in record.metrics:
            if metric.region in REGIONS and metric.name.startswith("mIoU[") and metric.name.endswith("]"):
                row = {"cell_id": record.cell_id, "metric": metric.name, "region": metric.region}
                row |= {"retention_reference": name}
                rows.append(row | _retention(values, reference, metric.name[1:], metric.region))
    frame = pd.DataFrame(rows, columns=["cell_id", "metric", "region", *COLUMNS])
    return frame.astype(dict.fromkeys(COLUMNS[:3], "float64") | {"retention_n": "Int64"})


def _undefended(run: Run, record: Record) -> tuple[str, pd.DataFrame | str]:
    """Return the name of a record's reference, and its values or the reason why there are none."""
    weights = str(record.cell["defense"]["params"].get("weights", ""))
    reference = run.reference(record.cell.get("protocol", ""), weights)
    if reference is None:
        return "", "the undefended model was not measured in this run"
    trained = reference.cell["defense"]["params"].get("weights")
    shorter = weights in TRAINED_AS_LONG and trained != TRAINED_AS_LONG[weights]
    name = run.defense(reference) + (SHORTER if shorter else "")
    if reference.status != "ok":
        return name, f"the undefended model's cell is {reference.status}"
    return name, run.values(reference.cell_id)


def _retention(
    values: pd.DataFrame, reference: pd.DataFrame | str, metric: str, region: str
) -> dict[str, Any]:
    if isinstance(reference, str):
        return {"retention_reason": reference}
    sizes = REGIONS[region]
    chosen = []
    for rows in (values, reference):
        of_region = True if sizes is None else rows["tag"].str.split().str[0].isin(sizes)
        chosen.append(rows.loc[(rows["metric"] == metric) & of_region, ["image", "annotation", "value"]])
    try:
        estimate = statistics.retention(*chosen)
    except ValueError as error:
        return {"retention_reason": str(error)}
    return estimate.columns("retention") | {"retention_n": estimate.n, "retention_reason": ""}
