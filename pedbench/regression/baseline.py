"""Baselines: the accepted numbers of a run, as files that are kept under version control.

NAME.jsonl holds the records, NAME.parquet the values behind the judged numbers, NAME.about.json why and from what it
was made, and the tolerances. NAME.changes.md is a diary that nothing reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pedbench.errors import suggestion
from pedbench.fetching.digests import fresh_digest
from pedbench.host.files import write_atomically
from pedbench.regression.judged_numbers import COLUMNS
from pedbench.regression.measured import Measured
from pedbench.regression.tolerance import Tolerances
from pedbench.results.records import parse_records, record_line
from pedbench.results.run import Run
from pedbench.suites.cell import canonical_json
from pedbench.suites.schema import Suite

SCHEMA = 1
"""Version of the files' layout."""

_ABOUT = ".about.json"

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
    digests = {
        parts[0]: _sealed(about)["sha256"][_ABOUT],
        **{part: fresh_digest(part) for part in (path, parts[1])},
    }
    for part, digest in digests.items():
        if about["sha256"].get(_ABOUT if part == parts[0] else part.suffix) != digest:
            raise ValueError(
                f"{part} is not what was accepted: its content does not fit the sha256 in {parts[0].name}. A baseline "
                "changes by `pedbench accept-baseline` and `pedbench set-tolerance` alone; take its files from "
                "version control again."
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
    in_about.write_text(_about_text(content), encoding="utf-8")
    for part, partial in new.items():
        partial.replace(part)


def set_range(path: Path, metric: str, region: str, found: float, reason: str) -> str:
    """Set the range of a metric and region from which its tolerance follows, and leave the reason.

    Args:
        path: Path of the baseline's records.
        found: The new range of a mean, of which `MARGIN` times is tolerated.

    Returns:
        The diary's new entry, as Markdown.

    Raises:
        FileNotFoundError: There is no baseline, or a part of it is missing.
        ValueError: It was changed by hand, it has no such number, or there is no reason.
    """
    if not reason.strip():
        raise ValueError("a tolerance changes for a reason: --why must say it.")
    _, about = read_baseline(path)
    entries = [each for each in about["tolerances"] if (each["metric"], each["region"]) == (metric, region)]
    if not entries:
        known = [f"{each['metric']}, {each['region']}" for each in about["tolerances"]]
        near = suggestion(f"{metric}, {region}", known)
        raise ValueError(f"{path} has no tolerance of {metric!r}, region {region!r}{near}.")
    before = max(max(each["repeats"], each["levels"]) for each in entries)
    for each in entries:
        each |= {"repeats": found, "levels": found}
    day = datetime.now(timezone.utc).date()
    line = f"range of {metric}, {region}: {before:.3g} -> {found:.3g}"
    about["set"] = [*about.get("set", []), f"{day}: {line}: {reason}"]
    write_atomically(about_path(path), _about_text(about))
    entry = f"## {day}: {reason}\n\nTolerance: {line}; twice the range is tolerated.\n"
    add_to_diary(path, entry)
    return entry


def add_to_diary(path: Path, entry: str) -> None:
    """Append an entry to a baseline's accepted changes."""
    diary = changes_path(path)
    before = diary.read_text(encoding="utf-8") if diary.is_file() else f"# Changes of {path.name}\n"
    write_atomically(diary, f"{before}\n{entry}")


def _about_text(about: Mapping[str, Any]) -> str:
    return json.dumps(_sealed(about), indent=1) + "\n"


def _sealed(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a baseline is about with the sha256 of all its fields."""
    parts = {suffix: found for suffix, found in about["sha256"].items() if suffix != _ABOUT}
    digest = hashlib.sha256(canonical_json({**about, "sha256": parts}).encode()).hexdigest()
    return {**about, "sha256": {**parts, _ABOUT: digest}}


def _common(provenances: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all records say alike, so that it is kept once."""
    first = provenances[0]
    return {k: v for k, v in first.items() if all(each.get(k) == v for each in provenances)}
