"""Single values of a run, for the words below its exhibits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pedbench.privacy.claims import FOUND
from pedbench.report.numbers.combined import combined, measures_of
from pedbench.report.numbers.speaking import LEAKAGE, distance_of
from pedbench.results.records import Record
from pedbench.results.run import Run
from pedbench.results.stored_exhibits import Stored
from pedbench.suites.cell import canonical_json

_Key = tuple[str, str, str, int]
"""Defense, attack ("" for what was received), c and m."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """Place where something was read: percent of the picture's width and height, and which word or what it was."""

    left: float
    top: float
    width: float
    height: float
    content: str


class ExhibitValues:
    """Values of single pictures under the coalition that an exhibit shows.

    Attributes:
        distances: By which leakage was measured.
    """

    def __init__(self, run: Run) -> None:
        """Take the values of a run."""
        self._run = run
        self.distances = [distance_of(name) for name in measures_of(combined(run))]

    @cached_property
    def families(self) -> set[str]:
        """The families of the run's attacks."""
        return {family for found in self._families.values() for family in found}

    def families_of(self, attack: str) -> set[str]:
        """Return the families that records give an attack, of its canonical JSON."""
        return self._families.get(attack, set())

    def utility(self, defense: str, image: str) -> tuple[str, float] | None:
        """Return name and mean of a picture's first utility metric."""
        for record in self._run.of_kind("utility"):
            if canonical_json(record.cell["defense"]) == defense and record.status == "ok":
                values = self._run.values(record.cell_id)
                if values.empty:
                    return None
                mine = values[(values["image"] == image) & (values["metric"] == values["metric"].iloc[0])]
                return None if mine.empty else (str(mine["metric"].iloc[0]), float(mine["value"].mean()))
        return None

    def leakages(self, attack: str, stored: Stored) -> dict[str, float]:
        """Return the leakages of a guess by distance."""
        record = self._attacked.get((canonical_json(stored.defense), attack, *stored.rule))
        if record is None:
            return {}
        values = self._run.values(record.cell_id)
        mine = values[(values["image"] == stored.image) & (values["servers"] == stored.servers)]
        means = mine.groupby("metric")["value"].mean()
        names = {distance: f"{LEAKAGE}{distance}]" for distance in self.distances}
        return {distance: float(means[name]) for distance, name in names.items() if name in means}

    def read(self, attack: str, stored: Stored) -> list[Box]:
        """Return boxes of what probes read in what was received (attack "") or in a guess."""
        found = set()
        key = (canonical_json(stored.defense), attack, *stored.rule)
        for record in self._run.claims:
            if _key(record) != key or record.status != "ok":
                continue
            source = "guess" if attack else "tiles"
            values = self._run.values(record.cell_id)
            mine = values[(values["image"] == stored.image) & (values["servers"] == stored.servers)]
            for kind, measure in FOUND.items():
                hits = mine[(mine["metric"] == f"{measure}[{source}]") & (mine["value"] >= 1)]
                found |= {(kind, int(number)) for number in hits["annotation"]}
        boxes = []
        for secret in stored.secrets:
            if (secret["kind"], secret["number"]) in found:
                left, top, width, height = (100 * side for side in secret["box"])
                content = "a face" if secret["kind"] == "face" else secret["content"]
                boxes.append(Box(left=left, top=top, width=width, height=height, content=content))
        return boxes

    @cached_property
    def _attacked(self) -> dict[_Key, Record]:
        records = [record for record in self._run.of_kind("privacy") if "read_out" not in record.cell]
        return {_key(record): record for record in records if record.status == "ok"}

    @cached_property
    def _families(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for record in self._run.of_kind("privacy"):
            if "attack" in record.cell and "family" in record.attacker:
                found.setdefault(canonical_json(record.cell["attack"]), set()).add(record.attacker["family"])
        return found


def _key(record: Record) -> _Key:
    cell = record.cell
    attack = canonical_json(cell["attack"]) if "attack" in cell else ""
    rule = cell["coalition"]
    return canonical_json(cell["defense"]), attack, str(rule["c"]), rule["m"]
