"""Baselines: the accepted numbers of a run, as files that are kept under version control.

NAME.jsonl holds the records, NAME.parquet the values behind the judged numbers, NAME.about.json why and from what it
was made, and the tolerances. NAME.changes.md is a diary that nothing reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pedbench.fetching.digests import fresh_digest
from pedbench.regression.judged_numbers import COLUMNS
from pedbench.regression.measured import Measured
from pedbench.regression.tolerance import Tolerances
from pedbench.results.records import parse_records, record_line
from pedbench.results.run import Run
from pedbench.suites.schema import Suite

SCHEMA = 1
"""Version of the files' layout."""

_VALUES = pa.schema(
    [
        pa.field("cell_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("metric", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("region", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("image", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("annotation", pa.int64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)


def about_path(path: Path) -> Path:
    """Return the path of what a baseline is about, next to its records."""
    return path.with_suffix(".about.json")


def changes_path(path: Path) -> Path:
    """Return the path of the accepted changes of a baseline, next to its records."""
    return path.with_suffix(".changes.md")


def read_baseline(path: Path) -> tuple[Measured, dict[str, Any]]:
    """Read a baseline, and what it says about itself.

    Raises:
        FileNotFoundError: There is none, or a part of it is missing.
        ValueError: Its files do not belong together, or are of a newer layout.
    """
    if path.suffix != ".jsonl":
        raise ValueError(f"{path} names no baseline: the path of its records, NAME.jsonl, is expected.")
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no baseline {path}. Make one from a run, its repeats and a reason: "
            f"pedbench accept-baseline RUN --repeat RUN --baseline {path} --why ..."
        )
    parts = [about_path(path), path.with_suffix(".parquet")]
    for part in parts:
        if not part.is_file():
            raise FileNotFoundError(f"a part of the baseline {path} is missing: {part}.")
    about: dict[str, Any] = json.loads(parts[0].read_text(encoding="utf-8"))
    if about["schema"] > SCHEMA:
        raise ValueError(
            f"{parts[0]} has schema {about['schema']}, pedbench here reads up to {SCHEMA}; update it."
        )
    for part in (path, parts[1]):
        if about["sha256"].get(part.suffix) != fresh_digest(part):
            raise ValueError(
                f"{part} is not what was accepted: its content does not fit {parts[0].name}. A baseline changes "
                "by `pedbench accept-baseline` alone; take its files from version control again."
            )
    records = tuple(
        replace(record, provenance={**about["provenance"], **record.provenance})
        for record in parse_records(path).values()
    )
    values: pd.DataFrame = pq.read_table(parts[1]).to_pandas()
    groups = dict(iter(values.groupby("cell_id", sort=False, observed=True)))
    nothing = pd.DataFrame(columns=COLUMNS)
    suite = Suite.model_validate(about["suite"])
    return (
        Measured(
            run=Run(directory=path, suite=suite, records=records, missing=()),
            values=lambda record: groups.get(record.cell_id, nothing)[COLUMNS],
            tolerances=Tolerances.from_json(about["tolerances"]),
        ),
        about,
    )


def write_baseline(path: Path, measured: Measured, tolerances: Tolerances, about: Mapping[str, Any]) -> None:
    """Write a baseline in place of an earlier one.

    Args:
        path: Of the records; ends with .jsonl.
        about: What else to say; sha256, suite and provenance are added here.
    """
    common = _common([record.provenance for record in measured.run.records])
    records = [
        replace(record, provenance={k: v for k, v in record.provenance.items() if k not in common})
        for record in measured.run.records
    ]
    frames = [measured.values(record).assign(cell_id=record.cell_id) for record in measured.run.records]
    table = pa.Table.from_pandas(
        pd.concat([frame for frame in frames if len(frame)], ignore_index=True)[_VALUES.names],
        schema=_VALUES,
        preserve_index=False,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    new = {part: part.with_name(f"{part.name}.partial") for part in
           (path, path.with_suffix(".parquet"), about_path(path))}  # fmt: skip
    in_jsonl, in_parquet, in_about = new.values()
    in_jsonl.write_bytes(b"".join(record_line(record) for record in records))
    pq.write_table(table, in_parquet, compression="zstd", compression_level=19)
    content = {
        "schema": SCHEMA,
        **about,
        "sha256": {".jsonl": fresh_digest(in_jsonl), ".parquet": fresh_digest(in_parquet)},
        "suite": measured.run.suite.model_dump(mode="json", exclude_none=True),
        "provenance": common,
        "tolerances": tolerances.to_json(),
    }
    in_about.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for part, partial in new.items():
        partial.replace(part)


def _common(provenances: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all records say alike, so that it is kept once."""
    first = provenances[0]
    return {k: v for k, v in first.items() if all(each.get(k) == v for each in provenances)}
