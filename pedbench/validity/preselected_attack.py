"""Which attack to report: chosen on other pictures than those it is reported on.

The strongest attack on the evaluated pictures is an oracle's choice. What a run on training pictures chose is kept in a
file that comes with the package, and holds for runs that have the same attacks, defense, coalition rule and model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedbench.results.records import Record
from pedbench.results.run import Run, load
from pedbench.suites.cell import canonical_json

KEPT = Path(__file__).parents[1] / "assets" / "choices.json"


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What was kept of earlier runs.

    Attributes:
        entries: Choices, as `keep_choices` writes them.
    """

    entries: Sequence[Mapping[str, Any]]

    def attack(self, records: Sequence[Record], metric: str) -> str:
        """The canonical identity of the attack that was chosen for a metric; empty where none was.

        Args:
            records: All of one defense and coalition rule of a run that have an attack.
            metric: As values name it, e.g. "leakage[RMSE]".
        """
        measured = [record for record in records if record.status == "ok"]
        if not measured:
            return ""
        cell = measured[0].cell
        wanted = {**_about(measured), "metric": metric}
        for entry in self.entries:
            elsewhere = (entry["dataset"], entry["revision"]) != (cell["dataset"], cell["revision"])
            if elsewhere and all(entry[key] == value for key, value in wanted.items()):
                return canonical_json(entry["attack"])
        return ""


def load_choices(kept: Path = KEPT) -> Choices:
    """Read what was kept; nothing where the file is absent."""
    return Choices(entries=json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else [])


def keep_choices(run_dir: Path, kept: Path = KEPT) -> list[dict[str, Any]]:
    """Keep the strongest attack of a run for each defense, rule and metric, in place of what was kept for the same.

    Returns:
        The new entries.

    Raises:
        FileNotFoundError: The directory holds no run.
    """
    run = load(run_dir)
    new = [entry for records in attacked(run).values() for entry in _chosen(records)]
    replaced = {_key(entry) for entry in new}
    left = [dict(entry) for entry in load_choices(kept).entries if _key(entry) not in replaced]
    entries = sorted([*left, *new], key=_key)
    lines = ",\n".join(canonical_json(entry) for entry in entries)
    kept.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return new


def attacked(run: Run) -> dict[tuple[str, str, int], list[Record]]:
    """A run's records with an attack by defense, c and m, in the order of the plan."""
    groups: dict[tuple[str, str, int], list[Record]] = {}
    for record in run.of_kind("privacy"):
        if "attack" in record.cell:
            rule = record.cell["coalition"]
            groups.setdefault((run.defense(record), str(rule["c"]), rule["m"]), []).append(record)
    return groups


def _chosen(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    # With an attack missing, another might have been chosen.
    if any(record.status not in ("ok", "skipped") for record in records):
        return
    measured = [record for record in records if record.status == "ok"]
    found: dict[str, list[tuple[float, int, Record]]] = {}
    for record in measured:
        for metric in record.metrics:
            if metric.name.startswith(("leakage[", "advantage[")) and metric.name.endswith("]"):
                found.setdefault(metric.name, []).append((metric.value, metric.n, record))
    for name, values in found.items():
        # The mean over fewer pictures is another quantity.
        most = max(pictures for _, pictures, _ in values)
        value, pictures, record = max((each for each in values if each[1] == most), key=lambda each: each[0])
        yield {
            **_about(measured),
            "metric": name,
            "attack": record.cell["attack"],
            "value": value,
            "n": pictures,
            "dataset": record.cell["dataset"],
            "revision": record.cell["revision"],
        }


def _about(measured: Sequence[Record]) -> dict[str, Any]:
    """What a choice holds for. `among` is a digest of the attacks that were measured."""
    cell = measured[0].cell
    attacks = sorted(canonical_json(record.cell["attack"]) for record in measured)
    return {
        "defense": cell["defense"],
        "coalition": cell["coalition"],
        "model": cell["model"],
        "among": hashlib.sha256(canonical_json(attacks).encode()).hexdigest()[:12],
    }


def _key(entry: Mapping[str, Any]) -> str:
    return canonical_json([entry[key] for key in ("defense", "coalition", "model", "among", "metric")])
