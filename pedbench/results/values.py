"""Values: one row per measured number, from which every aggregate is computed again at any time.

Shards are Parquet files. Where pyarrow is not installed they are JSON lines, which are read like the others.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pedbench.host.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COLUMNS: Mapping[str, type] = {
    "image": str,
    "annotation": int,
    "region": str,
    "servers": str,
    "request": int,
    "seed": int,
    "metric": str,
    "value": float,
    "tag": str,
}
"""Columns of a shard.

image: the sample's id. annotation: the instance's id, -1 where the value is about the whole picture.
servers: indices of the coalition's servers in ascending order joined by "+", "" where none is meant.
region, tag: "" where they have no meaning; tag is a further cut, e.g. a size class or a phase.
"""

Columns = Mapping[str, Sequence[Any]]
"""Values as one sequence a column."""

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

_LINES, _PARQUET = ".jsonl", ".parquet"


def write_values(run_dir: Path, cell_id: str, shard: int, values: Columns | pd.DataFrame) -> Path:
    """Write one shard of a cell's values, whole or not at all, in place of one of the same number.

    Args:
        values: Columns of `COLUMNS`; image, metric and value are needed, the others have defaults.

    Raises:
        ValueError: A column is unknown or missing, or a value is missing or not finite.
    """
    unknown = sorted(set(values.keys()) - set(COLUMNS))
    missing = sorted(set(COLUMNS) - set(DEFAULTS) - set(values.keys()))
    if unknown or missing:
        raise ValueError(
            f"values of cell {cell_id}: columns {[*COLUMNS]} are expected; "
            f"unknown: {unknown}, missing: {missing}."
        )
    rows = len(values["value"])
    filled = {name: list(values[name]) if name in values else [DEFAULTS[name]] * rows for name in COLUMNS}
    _refuse_gaps(cell_id, filled)
    suffix = _PARQUET if find_spec("pyarrow") else _LINES
    path = run_dir / "values" / f"{cell_id}-{shard:04d}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == _PARQUET:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(filled, _schema())
        write_atomically(path, lambda partial: pq.write_table(table, partial, compression="zstd"))
    else:
        typed = {name: map(kind, filled[name]) for name, kind in COLUMNS.items()}
        lines = (
            json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in zip(*typed.values(), strict=True)
        )
        write_atomically(path, "".join(f"{line}\n" for line in lines))
    path.with_suffix(_LINES if suffix == _PARQUET else _PARQUET).unlink(missing_ok=True)
    return path


def _schema() -> pa.Schema:
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    return pa.schema([pa.field(name, types[kind], nullable=False) for name, kind in COLUMNS.items()])


def _refuse_gaps(cell_id: str, values: Columns) -> None:
    gaps = [
        place
        for place, row in enumerate(zip(*values.values(), strict=True))
        if any(entry is None or entry != entry for entry in row) or math.isinf(values["value"][place])
    ]
    if gaps:
        image, metric, region, value = (
            values[name][gaps[0]] for name in ("image", "metric", "region", "value")
        )
        raise ValueError(
            f"values of cell {cell_id}: {len(gaps)} rows are not finite numbers, first "
            f"{metric} of image {image}, region {region!r}: {value}."
        )


def read_values(run_dir: Path, cell_id: str) -> pd.DataFrame:
    """Return all values of a cell, shard by shard, with the columns of `COLUMNS`; empty when there are none.

    Raises:
        ValueError: A shard holds more rows than any run measures: a small file can unpack to more than the memory.
    """
    import pyarrow as pa

    tables = [_read_table(path) for path in shard_files(run_dir, cell_id)]
    values: pd.DataFrame = pa.concat_tables([_schema().empty_table(), *tables]).to_pandas()
    return values


def read_columns(run_dir: Path, cell_id: str) -> Columns:
    """Return the same as `read_values` as lists; needs pyarrow only for shards that were written with it.

    Raises:
        ValueError: A shard cannot be read, or holds more rows than any run measures.
    """
    shards = [
        _read_lines(path) if path.suffix == _LINES else _read_table(path).to_pydict()
        for path in shard_files(run_dir, cell_id)
    ]
    return {name: [entry for shard in shards for entry in shard[name]] for name in COLUMNS}


def _read_table(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == _LINES:
        return pa.table(dict(_read_lines(path)), _schema())
    with pq.ParquetFile(path) as file:
        if (rows := file.metadata.num_rows) > MOST_ROWS:
            raise ValueError(f"{path}: {rows} rows are more than the {MOST_ROWS} that are read.")
        # Many times as fast as the general way, which takes columns that lack or differ.
        if file.schema_arrow.equals(_schema()):
            return file.read()
    return pq.read_table(path, schema=_schema())


def _read_lines(path: Path) -> Columns:
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if number > MOST_ROWS:
                raise ValueError(f"{path}: more than the {MOST_ROWS} rows that are read.")
            try:
                row = json.loads(line)
                fits = {name: type(entry) for name, entry in row.items()} == COLUMNS and all(
                    abs(row[name]) < 2**63 for name, kind in COLUMNS.items() if kind is int
                )
            except (ValueError, AttributeError, RecursionError):
                fits = False
            if not fits:
                raise ValueError(f"{path}: line {number} is no row of {', '.join(COLUMNS)}.")
            for name, entry in row.items():
                columns[name].append(entry)
    return columns


def remove_values(run_dir: Path, cell_id: str, keep: Collection[int] = ()) -> None:
    """Remove what an unfinished attempt at a cell has left, before the next one.

    Args:
        keep: Numbers of the shards that are finished.
    """
    for path in shard_files(run_dir, cell_id):
        if int(path.stem.rpartition("-")[2]) not in keep:
            path.unlink()


def shard_files(run_dir: Path, cell_id: str) -> list[Path]:
    """Return the files of a cell's values, in the order of their numbers."""
    folder = run_dir / "values"
    # Many times as fast as a glob, in folders with the files of thousands of cells.
    found = [name for name in os.listdir(folder) if name.startswith(f"{cell_id}-")] if folder.is_dir() else []
    return sorted(folder / name for name in found if name.endswith((_LINES, _PARQUET)))
