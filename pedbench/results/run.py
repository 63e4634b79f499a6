"""A run read from its directory, in the order of the suite."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pedbench.results.records import Record, read_plan, read_records
from pedbench.results.run_directory import SUITE, refuse_links_out
from pedbench.results.values import read_values
from pedbench.suites.cell import canonical_json
from pedbench.suites.files import load_whole_suite
from pedbench.suites.schema import Suite

if TYPE_CHECKING:
    import pandas as pd

REFERENCE = "reference"
"""The flag of the undefended model's utility record, to which retention relates."""

TRAINED_AS_LONG: Mapping[str, str] = {"fine-tuned": "prolonged"}
"""Weights of the undefended model that were trained as long as a defense's, by the defense's weights."""

MOST_KEPT = 4_000_000
"""Rows of values that a run keeps in memory, some 300 MB; what is beyond is read again when it is asked for."""

Computed = TypeVar("Computed")


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A run directory's content.

    Attributes:
        records: One for each planned cell that has one, in the order of the plan.
        missing: Ids of planned cells without a record.
    """

    directory: Path
    suite: Suite
    records: tuple[Record, ...]
    missing: tuple[str, ...]
    _values: dict[str, pd.DataFrame] = field(default_factory=dict, init=False, repr=False)
    _computed: dict[Callable[[Run], Any], Any] = field(default_factory=dict, init=False, repr=False)

    def values(self, cell_id: str) -> pd.DataFrame:
        """Return all values of a cell, with the columns of `values.SCHEMA`; nobody may change the frame."""
        if cell_id in self._values:
            return self._values[cell_id]
        frame = read_values(self.directory, cell_id)
        if sum(map(len, self._values.values())) + len(frame) <= MOST_KEPT:
            self._values[cell_id] = frame
        return frame

    @cached_property
    def _labels(self) -> dict[str, dict[str, str]]:
        roles = {"defense": ("defense",), "attack": ("attack", "read_out"), "probe": ("probe",)}
        found = {}
        for role, fields in roles.items():
            shown = [(r, field) for r in self.records for field in fields if field in r.cell]
            defaults = {canonical_json(r.cell[field]): r.defaults.get(field, {}) for r, field in shown}
            found[role] = labels((r.cell[field] for r, field in shown), defaults)
        return found

    def defense(self, record: Record) -> str:
        """Return what tables call the record's defense: its name, and what tells it from its defaults and namesakes."""
        return self._labels["defense"][canonical_json(record.cell["defense"])]

    def attack(self, record: Record) -> str:
        """Return what tables call the record's attack and the read-out that it completes; empty without an attack."""
        chain = [record.cell[field] for field in ("attack", "read_out") if field in record.cell]
        return " after ".join(self._labels["attack"][canonical_json(each)] for each in chain)

    def probe(self, record: Record) -> str:
        """Return what tables call the record's probe; empty for a record that is not about claims."""
        probe = record.cell.get("probe")
        return self._labels["probe"][canonical_json(probe)] if probe else ""

    def of_kind(self, kind: str) -> list[Record]:
        """Return the records of one axis, without those about claims."""
        return [r for r in self.records if r.cell["kind"] == kind and "probe" not in r.cell]

    @property
    def claims(self) -> list[Record]:
        """The records of what probes read."""
        return [record for record in self.records if "probe" in record.cell]

    @cached_property
    def defenses(self) -> dict[str, Mapping[str, Any]]:
        """Identities by label, in the order of the plan."""
        return {self.defense(record): record.cell["defense"] for record in self.records}

    def matching(self, name: str, params: Mapping[str, Any]) -> list[str]:
        """Return the labels of the defenses of this name that have these parameters, among others."""
        return [
            label
            for label, identity in self.defenses.items()
            if identity["name"] == name and params.items() <= identity["params"].items()
        ]

    @property
    def attacks(self) -> Mapping[str, str]:
        """Labels of attacks by canonical JSON of their identities."""
        return self._labels["attack"]

    @property
    def pictures(self) -> int:
        """Number of pictures that were evaluated; 0 when no cell succeeded."""
        scored = [record for record in self.records if record.cell["kind"] != "latency"]
        return max((metric.n for record in scored or self.records for metric in record.metrics), default=0)

    def headline(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a frame with columns c and m that are no sweep of coalitions; all, where all are one."""
        rules = {(str(rule.c), rule.m) for rule in self.suite.coalitions if not isinstance(rule.c, list)}
        if not rules:
            return frame
        chosen = [pair in rules for pair in zip(frame["c"], frame["m"], strict=True)]
        return frame.loc[np.array(chosen, bool)]

    def reference(self, protocol: str, weights: str = "") -> Record | None:
        """Return the undefended model's utility record under a protocol, to which retention relates.

        Args:
            weights: Weights of the row that is related. Those that were trained longer relate to the undefended model
                that was trained as long, where the run has it with values.

        Raises:
            ValueError: Several records claim to be it.
        """
        found = [
            record
            for record in self.of_kind("utility")
            if REFERENCE in record.flags and record.cell.get("protocol") == protocol
        ]
        if len(found) > 1:
            names = ", ".join(self.defense(record) for record in found)
            raise ValueError(f"one undefended reference is expected for protocol {protocol!r}, found {names}")
        if not found or weights not in TRAINED_AS_LONG:
            return found[0] if found else None
        params = {**found[0].cell["defense"]["params"], "weights": TRAINED_AS_LONG[weights]}
        twins = [
            record
            for record in self.of_kind("utility")
            if record.status == "ok"
            and record.cell.get("protocol") == protocol
            and record.cell["defense"] == {**found[0].cell["defense"], "params": params}
        ]
        return twins[0] if twins else found[0]


def once_per_run(function: Callable[[Run], Computed]) -> Callable[[Run], Computed]:
    """Decorate a function of a run so that its result is kept with the run; nobody may change it."""

    @wraps(function)
    def computed(run: Run) -> Computed:
        if function not in run._computed:
            run._computed[function] = function(run)
        result: Computed = run._computed[function]
        return result

    return computed


def load(run_dir: Path) -> Run:
    """Read a run directory: `suite.toml`, `cells.json` and `records.jsonl`; values are read when needed.

    Records of cells that are not planned, from earlier versions of a plugin, are left out.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: A file of the run cannot be understood.
    """
    refuse_links_out(run_dir)
    plan = read_plan(run_dir)
    records = read_records(run_dir)
    return Run(
        directory=run_dir,
        suite=load_whole_suite(run_dir / SUITE),
        records=tuple(records[cell_id] for cell_id in plan if cell_id in records),
        missing=tuple(cell_id for cell_id in plan if cell_id not in records),
    )


def labels(
    identities: Iterable[Mapping[str, Any]], defaults: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> dict[str, str]:
    """Return names for configured plugins that distinguish all of them, with what differs from the defaults.

    Args:
        identities: Each with name, version and params; repetitions count once.
        defaults: Canonical JSON of an identity -> defaults of its parameters, where they are known.

    Returns:
        Canonical JSON of the identity -> label.
    """
    by_name: dict[str, dict[str, Mapping[str, Any]]] = {}
    for identity in identities:
        by_name.setdefault(identity["name"], {})[canonical_json(identity)] = identity
    result = {}
    for name, same in by_name.items():
        changed = [
            parameter
            for key, identity in same.items()
            for parameter, value in identity["params"].items()
            if (known := defaults.get(key)) and (parameter not in known or value != known[parameter])
        ]
        differing = dict.fromkeys([*_differing([identity["params"] for identity in same.values()]), *changed])
        versions = {identity["version"] for identity in same.values()}
        for key, identity in same.items():
            parts = [f"{p}={_plain(identity['params'][p])}" for p in differing if p in identity["params"]]
            parts += [f"version={identity['version']}"] if len(versions) > 1 else []
            result[key] = f"{name}({', '.join(parts)})" if parts else name
    return result


def _differing(params: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for each in params for name in each)
    missing = object()
    return [
        name
        for name in names
        if any(each.get(name, missing) != params[0].get(name, missing) for each in params)
    ]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
