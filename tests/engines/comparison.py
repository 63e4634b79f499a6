"""Records and values of two runs, without what differs from run to run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pedbench.results.summary import MOMENTS


def signature(record: Any) -> tuple[Any, ...]:
    """Return the contents of a record without its provenance and, for latency, without its times."""
    metrics = () if record.cell["kind"] == "latency" else record.metrics
    return record.cell_id, record.cell, record.status, record.reason, metrics, record.flags


def without_times(values: pd.DataFrame) -> pd.DataFrame:
    return values[~values["metric"].isin(["wall", "turn-taking", *MOMENTS])].reset_index(drop=True)


def compare(first: Any, second: Any, images: list[str] | None = None) -> Iterator[tuple[Any, Any]]:
    """Yield the values of each cell in two runs, whose selections of pictures may differ."""
    pairs = zip(first.records, second.records, strict=True)
    for one, other in pairs:
        kinds = [
            (r.cell["kind"], r.cell["defense"], r.cell.get("attack"), r.cell.get("coalition"))
            for r in (one, other)
        ]
        assert kinds[0] == kinds[1]
        left, right = (without_times(run.values(r)) for run, r in ((first, one), (second, other)))
        if images is not None:
            left, right = (frame[frame["image"].isin(images)] for frame in (left, right))
        yield left.reset_index(drop=True), right.reset_index(drop=True)
