"""The tables of a run as tidy pandas frames: one row a number, in full precision.

A cell that is not ok has one row without a number, with its status and reason, and enters no average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from pedbench.privacy.claims import UNDEFENDED
from pedbench.report.numbers.retention import COLUMNS as RETENTION
from pedbench.report.numbers.retention import retentions
from pedbench.results.at_most import numbers_at_most
from pedbench.results.records import Record
from pedbench.results.run import REFERENCE, Run, once_per_run
from pedbench.suites.cell import canonical_json
from pedbench.validity.calibration import UNPROVEN, Verdict, verdicts
from pedbench.validity.controls import CONTROL
from pedbench.validity.families import RECEIVED

_HEAD = ["cell_id", "defense", "parameters"]
_NUMBER = ["metric", "region", "better", "unit", "value", "low", "high", "n"]
_TAIL = ["status", "reason", "flags"]

PROVEN = Verdict(proven=True, figure="", reached="")
"""The verdict on records that need no calibration: floors, and what was received."""


@once_per_run
def utility(run: Run) -> pd.DataFrame:
    """Return mIoU or agreement of each defense by prompt and region, with its retention.

    Returns:
        Columns cell_id, defense, parameters, protocol, metric, region, better, unit, value, low, high, n,
        retention (likewise with _low, _high, _n, _reference, and _reason where there is none), status, reason, flags.
    """
    records = run.of_kind("utility")
    frame = _tidy(run, records, ["protocol"], lambda record: {"protocol": record.cell.get("protocol", "")})
    frame = frame.merge(retentions(run), on=["cell_id", "metric", "region"], how="left")
    frame["retention_n"] = frame["retention_n"].astype("Int64")
    return frame[[*_HEAD, "protocol", *_NUMBER, *RETENTION, *_TAIL]]


@once_per_run
def privacy(run: Run) -> pd.DataFrame:
    """Return geometry (attack "") and attacks, for each coalition rule (c, m): the worst of at most c servers.

    Returns:
        Columns cell_id, defense, parameters, c, m, attack, attack_parameters, requests, metric, region,
        better, unit, value, low, high, n, status, reason, flags.
    """

    proven = verdicts(run)
    records = run.of_kind("privacy")
    frame = _private(run, records, [], lambda record: {})
    unproven = {
        record.cell_id
        for record in records
        if record.status == "ok" and not proven.get(canonical_json(record.cell.get("attack")), PROVEN).proven
    }
    flagged = frame["cell_id"].isin(unproven)
    frame.loc[flagged, "flags"] = [
        "; ".join([*filter(None, names.split("; ")), UNPROVEN]) for names in frame.loc[flagged, "flags"]
    ]
    return frame


@once_per_run
def claims(run: Run) -> pd.DataFrame:
    """Return what probes read, for each coalition rule, source and attack: the worst of at most c servers.

    Returns:
        The columns of `privacy`, and after requests the columns probe and source: tiles (what was received),
        guess (the attack's), or undefended (the frame itself). Metrics are named without their source.
    """
    frame = _private(
        run,
        run.claims,
        ["probe", "source"],
        lambda record: {"probe": run.probe(record), "source": record.cell["source"]},
    )
    names = frame["metric"].str.extract(r"^(.*)\[(.*)\]$")
    frame["metric"] = names[0].fillna("")
    frame["source"] = frame["source"].mask(names[1] == UNDEFENDED, UNDEFENDED)
    return frame


def _private(
    run: Run, records: Sequence[Record], more: list[str], facts: Callable[[Record], dict[str, Any]]
) -> pd.DataFrame:
    def common(record: Record) -> dict[str, Any]:
        attack = record.cell.get("attack")
        return {
            "c": str(record.cell["coalition"]["c"]),
            "m": record.cell["coalition"]["m"],
            "attack": run.attack(record),
            "attack_parameters": canonical_json(attack["params"]) if attack else "",
            "requests": record.cell.get("requests"),
            **facts(record),
        }

    columns = ["c", "m", "attack", "attack_parameters", "requests", *more]
    frame = _tidy(run, records, columns, common)
    frame["requests"] = frame["requests"].astype("Int64")
    return frame


@once_per_run
def latency(run: Run) -> pd.DataFrame:
    """Return seconds by phase (the region) and bytes.

    Returns:
        Columns cell_id, defense, parameters, link, dtype, metric, region, better, unit, value, low, high, n,
        status, reason, flags.
    """
    columns = ["link", "dtype"]
    return _tidy(
        run,
        run.of_kind("latency"),
        columns,
        lambda record: {name: record.cell.get(name, "") for name in columns},
    )


def _tidy(
    run: Run, records: Sequence[Record], columns: list[str], facts: Callable[[Record], dict[str, Any]]
) -> pd.DataFrame:
    rows = []
    for record in records:
        defense = record.cell["defense"]
        common = {
            "cell_id": record.cell_id,
            "defense": run.defense(record),
            "parameters": canonical_json(defense["params"]),
            **facts(record),
            "status": record.status,
            "reason": record.reason,
            "flags": "; ".join(
                flag
                for flag in record.flags
                if flag != REFERENCE and not flag.startswith((CONTROL, RECEIVED))
            ),
        }
        rows += [{**common, **number} for number in _numbers(run, record)]
    frame = pd.DataFrame(rows, columns=[*_HEAD, *columns, *_NUMBER, *_TAIL])
    numbers = dict.fromkeys(("value", "low", "high"), "float64")
    return frame.astype({**numbers, "n": "Int64"})


def _numbers(run: Run, record: Record) -> Iterable[dict[str, Any]]:
    """Return the record's metrics; one row without a number when there are none that count."""
    if record.status != "ok" or not record.metrics:
        return [{"metric": "", "region": "", "better": "", "unit": "", "n": 0}]
    return [
        {
            "metric": metric.name,
            "region": metric.region,
            "better": metric.better,
            "unit": metric.unit,
            "n": metric.n,
            "value": metric.value,
            **dict(zip(("low", "high"), metric.ci95 or (), strict=False)),
        }
        for metric in (numbers_at_most(run, record) if "coalition" in record.cell else record.metrics)
    ]
