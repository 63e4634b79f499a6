"""Records: what became of each cell, one JSON line each; the newest line of a cell counts."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pedbench.host.files import write_atomically
from pedbench.suites.cell import Cell
from pedbench.types import Status

SCHEMA = 1
"""Version of the record's layout; raised when a field changes its meaning."""

RECORDS = "records.jsonl"
PLAN = "cells.json"

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class MetricValue:
    """An aggregate over a cell's values.

    Attributes:
        region: What it was taken over (hidden, whole, M, uplink, ...); empty where that has no meaning.
        better: Which direction the defender wants.
        unit: Empty for dimensionless.
        ci95: Bootstrap interval, clustered by image; None where there is none.
        n: How many images it is over.
        version: Of the metric.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    region: str
    axis: Literal["utility", "privacy", "latency"]
    better: Literal["higher", "lower"]
    unit: str
    value: float
    ci95: tuple[float, float] | None
    n: int
    version: int


@dataclass(frozen=True, kw_only=True)
class Record:
    """A cell's result.

    Attributes:
        cell: `Cell.as_dict()`.
        reason: Why the status is not ok; empty when it is.
        flags: Names of soundness flags.
        timing: Seconds by stage; `one guess` is the attack's mean time for one view, on a host that it shares.
        provenance: See `provenance.provenance`.
        attacker: Of privacy cells with an attack: `floor`; `family` and `needs`, which earlier versions left out;
            `knowledge`, the data and training behind it; `proof`, the calibration that the attack declares, or None.
        defaults: Defaults of the parameters of the cell's plugins, by the plugin's field in `cell`; earlier versions
            left them out.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    cell_id: str
    cell: dict[str, Any]
    status: Status
    reason: str = ""
    metrics: tuple[MetricValue, ...] = ()
    flags: tuple[str, ...] = ()
    timing: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    attacker: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, dict[str, Any]] = field(default_factory=dict)
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if (self.status == "ok") != (self.reason == ""):
            raise ValueError(f"a record that is {self.status!r} cannot have the reason {self.reason!r}.")


@cache
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


def append_record(run_dir: Path, record: Record) -> None:
    """Add a record durably: afterwards the line is on the disk as a whole.

    A half line that a killed run left at the end is removed first.

    Raises:
        ValueError: A number is not finite.
    """
    line = record_line(record)
    descriptor = os.open(run_dir / RECORDS, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        whole = _end_of_whole_lines(descriptor)
        os.ftruncate(descriptor, whole)
        written = os.write(descriptor, line)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes of a record fit into {run_dir / RECORDS}.")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end_of_whole_lines(descriptor: int) -> int:
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - 65536)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def read_records(run_dir: Path) -> dict[str, Record]:
    """Return the newest record of each cell, by cell id, in the order in which the cells first finished.

    A half line at the end, from a killed run, is ignored.

    Raises:
        FileNotFoundError: The run has no records yet.
        ValueError: A line is not a record of a known schema.
    """
    path = run_dir / RECORDS
    if not path.is_file():
        raise FileNotFoundError(f"{run_dir} holds no run: there is no {path.name} in it.")
    return parse_records(path)


def parse_records(path: Path) -> dict[str, Record]:
    """Read the records of a file of any name, see `read_records`.

    Raises:
        ValueError: A line is not a record of a known schema.
    """
    records: dict[str, Record] = {}
    *lines, _half = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        record = _parse(line, f"{path}, line {number}")
        records[record.cell_id] = record
    return records


def record_line(record: Record) -> bytes:
    """Return a record as a line of JSON.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps({"schema": record.schema, **asdict(record)}, allow_nan=False).encode() + b"\n"


def _parse(line: bytes, place: str) -> Record:
    try:
        record = _adapter().validate_json(line)
        _cells().validate_python(record.cell)
        _refuse_ids([record.cell_id], place)
        return record
    except ValidationError as error:
        found = _schema_of(line)
        if isinstance(found, int) and found > SCHEMA:
            raise ValueError(
                f"{place}: the record has schema {found}, pedbench here reads up to {SCHEMA}; update it."
            ) from None
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the line"
        raise ValueError(f"{place}: not a record, at {field}: {first['msg']}.") from None


@cache
def _cells() -> TypeAdapter[Cell]:
    return TypeAdapter(Cell)


def _refuse_ids(cell_ids: Sequence[str], place: str) -> None:
    """Refuse what is no id of a cell: files are named by them."""
    for cell_id in cell_ids:
        if not re.fullmatch("[0-9a-f]{12}", cell_id):
            raise ValueError(
                f"{place}: {cell_id[:40]!r} is no id of a cell, which has 12 hexadecimal digits."
            )


def _schema_of(line: bytes) -> object:
    try:
        data = json.loads(line)
    except ValueError:
        return None
    return data.get("schema") if isinstance(data, Mapping) else None


def write_plan(run_dir: Path, cell_ids: Sequence[str]) -> None:
    """Write down which cells the run consists of, in the order in which tables show them.

    Records of cells that are not in the plan stem from earlier versions of a plugin or of the weights.
    """
    path = run_dir / PLAN
    write_atomically(path, json.dumps(list(cell_ids), indent=1) + "\n")


def read_plan(run_dir: Path) -> list[str]:
    """Return the ids of the run's cells in the order of the suite.

    Raises:
        FileNotFoundError: The run has not begun.
        ValueError: The file is not a list of cells' ids.
    """
    path = run_dir / PLAN
    if not path.is_file():
        raise FileNotFoundError(f"{run_dir} holds no run: there is no {path.name} in it.")
    try:
        ids = TypeAdapter(list[str]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path}: not a list of cells' ids: {error.errors()[0]['msg']}.") from None
    _refuse_ids(ids, str(path))
    return ids
