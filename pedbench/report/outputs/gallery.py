"""The exhibits of a run in order: pictures with the words below them, and boxes on what was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from pedbench.privacy.claims import FOUND
from pedbench.report.words.text import quantity
from pedbench.results.run import Run
from pedbench.results.stored_exhibits import Stored, read_exhibits
from pedbench.suites.cell import canonical_json


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where something was read: percent of the picture's width and height, and which word or what it was."""

    left: float
    top: float
    width: float
    height: float
    content: str


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A picture with words; all plain.

    Attributes:
        over_truth: Whether it is a guess or a received picture, which the slider holds against the truth.
    """

    title: str
    caption: str
    path: Path
    over_truth: bool
    boxes: Sequence[Box] = ()


@dataclass(frozen=True, kw_only=True)
class DefenseRow:
    """One picture under one defense."""

    defense: str
    tiles: Sequence[Tile]


@dataclass(frozen=True, kw_only=True)
class PictureRow:
    """One picture under all defenses."""

    image: str
    truth: Path
    rows: Sequence[DefenseRow]

    @property
    def paths(self) -> list[Path]:
        """All its pictures."""
        return [self.truth, *(tile.path for row in self.rows for tile in row.tiles)]


def gallery(run: Run) -> Iterator[PictureRow]:
    """Yield the exhibits in the order of the suite's pictures as far as it is known, and of its defenses."""
    order = {canonical_json(identity): place for place, identity in enumerate(run.defenses.values())}
    names = {canonical_json(identity): label for label, identity in run.defenses.items()}
    known = [stored for stored in read_exhibits(run.directory) if canonical_json(stored.defense) in order]
    values = _Values(run)
    for image, group in groupby(known, key=lambda stored: stored.image):
        mine = sorted(group, key=lambda stored: order[canonical_json(stored.defense)])
        rows = [
            DefenseRow(defense=names[canonical_json(stored.defense)], tiles=list(_tiles(run, stored, values)))
            for stored in mine
        ]
        yield PictureRow(image=image, truth=mine[0].truth, rows=rows)


def _tiles(run: Run, stored: Stored, values: _Values) -> Iterator[Tile]:
    defense = canonical_json(stored.defense)
    if stored.masks is not None:
        iou = values.utility(defense, stored.image)
        caption = "" if iou is None else f"mean {iou[0]} here {quantity(iou[1])}"
        yield Tile(title="masks, one click an object", caption=caption, path=stored.masks, over_truth=False)
    if stored.seen is None:
        return
    receiver = f"server {stored.servers}" if "+" not in stored.servers else f"servers {stored.servers}"
    yield Tile(
        title=f"what {receiver} received" if stored.servers else "what servers received",
        caption=stored.received,
        path=stored.seen,
        over_truth=True,
        boxes=values.read(defense, "", stored),
    )
    guesses = [
        (values.leakage(defense, canonical_json(attack), stored), attack, path)
        for attack, path in stored.guesses
        if canonical_json(attack) in run.attacks
    ]
    for leakage, attack, path in sorted(guesses, key=lambda guess: -(guess[0][1] if guess[0] else -9)):
        key = canonical_json(attack)
        yield Tile(
            title=run.attacks[key],
            caption=f"{leakage[0]} {quantity(leakage[1])}" if leakage else "",
            path=path,
            over_truth=True,
            boxes=values.read(defense, key, stored),
        )


class _Values:
    """Single values of a run, for the words below its exhibits."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def utility(self, defense: str, image: str) -> tuple[str, float] | None:
        """Name and mean of the first prompt's values over a picture's objects."""
        for record in self._run.of_kind("utility"):
            if canonical_json(record.cell["defense"]) == defense and record.status == "ok":
                values = self._run.values(record.cell_id)
                mine = values[(values["image"] == image) & (values["metric"] == values["metric"].iloc[0])]
                return None if mine.empty else (str(mine["metric"].iloc[0]), float(mine["value"].mean()))
        return None

    def leakage(self, defense: str, attack: str, stored: Stored) -> tuple[str, float] | None:
        """Name and value of the first leakage of a guess."""
        for record in self._run.of_kind("privacy"):
            if self._matches(record, defense, attack, stored) and record.status == "ok":
                values = self._run.values(record.cell_id)
                mine = values[
                    (values["image"] == stored.image)
                    & (values["servers"] == stored.servers)
                    & values["metric"].str.startswith("leakage[")
                ]
                if not mine.empty:
                    name = str(mine["metric"].iloc[0])
                    return name, float(mine.loc[mine["metric"] == name, "value"].iloc[0])
        return None

    def read(self, defense: str, attack: str, stored: Stored) -> list[Box]:
        """Return boxes of what probes read in what was received (attack "") or in a guess."""
        found = set()
        for record in self._run.claims:
            if not self._matches(record, defense, attack, stored) or record.status != "ok":
                continue
            source = "guess" if attack else "tiles"
            values = self._run.values(record.cell_id)
            mine = values[(values["image"] == stored.image) & (values["servers"] == stored.servers)]
            for kind, measure in FOUND.items():
                hits = mine[(mine["metric"] == f"{measure}[{source}]") & (mine["value"] >= 1)]
                found |= {(kind, int(number)) for number in hits["annotation"]}
        return [
            Box(
                **dict(
                    zip(
                        ("left", "top", "width", "height"),
                        (100 * side for side in secret["box"]),
                        strict=True,
                    )
                ),
                content="a face" if secret["kind"] == "face" else secret["content"],
            )
            for secret in stored.secrets
            if (secret["kind"], secret["number"]) in found
        ]

    def _matches(self, record: Any, defense: str, attack: str, stored: Stored) -> bool:
        cell = record.cell
        rule = cell["coalition"]
        mine = cell.get("attack")
        return (
            canonical_json(cell["defense"]) == defense
            and (str(rule["c"]), rule["m"]) == stored.rule
            and (canonical_json(mine) if mine else "") == attack
        )
