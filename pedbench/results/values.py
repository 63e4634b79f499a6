"""Values: one row per measured number, from which every aggregate is computed again at any time."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pedbench.host.files import write_atomically

SCHEMA = pa.schema(
    [
        pa.field("image", pa.string(), nullable=False),
        pa.field("annotation", pa.int64(), nullable=False),
        pa.field("region", pa.string(), nullable=False),
        pa.field("servers", pa.string(), nullable=False),
        pa.field("request", pa.int64(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("tag", pa.string(), nullable=False),
    ]
)
"""Columns of a shard.

image: the sample's id. annotation: the instance's id, -1 where the value is about the whole picture.
servers: indices of the coalition's servers in ascending order joined by "+", "" where none is meant.
region, tag: "" where they have no meaning; tag is a further cut, e.g. a size class or a phase.
"""

MOST_ROWS = 10_000_000
"""Rows of a shard, which holds a cell's values of eight pictures."""

DEFAULTS: dict[str, int | str] = {
    "annotation": -1,
    "region": "",
    "servers": "",
    "request": 0,
    "seed": 0,
    "tag": "",
}


KEY = ["image", "annotation", "region", "servers", "request", "seed", "metric"]
"""Columns that distinguish the values of a cell."""


def write_values(run_dir: Path, cell_id: str, shard: int, values: pd.DataFrame) -> Path:
    """Write one shard of a cell's values, whole or not at all, in place of one of the same number.

    Args:
        values: Columns of `SCHEMA`; image, metric and value are needed, the others have defaults.

    Raises:
        ValueError: A column is unknown or missing, or a value is missing or not finite.
    """
    unknown = sorted(set(values.columns) - set(SCHEMA.names))
    missing = sorted(set(SCHEMA.names) - set(DEFAULTS) - set(values.columns))
    if unknown or missing:
        raise ValueError(
            f"values of cell {cell_id}: columns {SCHEMA.names} are expected; "
            f"unknown: {unknown}, missing: {missing}."
        )
    filled = values.copy()
    for name, default in DEFAULTS.items():
        if name not in filled.columns:
            filled[name] = default
    _refuse_gaps(cell_id, filled)
    table = pa.Table.from_pandas(filled[SCHEMA.names], schema=SCHEMA, preserve_index=False)
    path = run_dir / "values" / f"{cell_id}-{shard:04d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda partial: pq.write_table(table, partial, compression="zstd"))
    return path


def _refuse_gaps(cell_id: str, values: pd.DataFrame) -> None:
    gaps = values.isna().any(axis=1) | values["value"].isin([float("inf"), float("-inf")])
    if gaps.any():
        row = values[gaps].iloc[0]
        raise ValueError(
            f"values of cell {cell_id}: {int(gaps.sum())} rows are not finite numbers, first "
            f"{row['metric']} of image {row['image']}, region {row['region']!r}: {row['value']}."
        )


def read_values(run_dir: Path, cell_id: str) -> pd.DataFrame:
    """Return all values of a cell, shard by shard, with the columns of `SCHEMA`; empty when there are none.

    Raises:
        ValueError: A shard holds more rows than any run measures: a small file can unpack to more than the memory.
    """
    shards = []
    for path in _shards(run_dir, cell_id):
        if (rows := pq.read_metadata(path).num_rows) > MOST_ROWS:
            raise ValueError(f"{path}: {rows} rows are more than the {MOST_ROWS} that are read.")
        shards.append(pq.read_table(path, schema=SCHEMA))
    values: pd.DataFrame = pa.concat_tables([SCHEMA.empty_table(), *shards]).to_pandas()
    return values


def remove_values(run_dir: Path, cell_id: str, keep: Collection[int] = ()) -> None:
    """Remove what an unfinished attempt at a cell has left, before the next one.

    Args:
        keep: Numbers of the shards that are finished.
    """
    for path in _shards(run_dir, cell_id):
        if int(path.stem.rpartition("-")[2]) not in keep:
            path.unlink()


def _shards(run_dir: Path, cell_id: str) -> list[Path]:
    return sorted((run_dir / "values").glob(f"{cell_id}-*.parquet"))
