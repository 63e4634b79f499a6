"""The exhibits of a run as a matrix for each picture: a row a defense, a column a question about it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from pedbench.report.numbers.first_table import FAMILIES
from pedbench.report.outputs.exhibit_values import Box, ExhibitValues
from pedbench.report.words.text import quantity
from pedbench.results.run import Run
from pedbench.results.stored_exhibits import Stored, read_exhibits
from pedbench.suites.cell import canonical_json

_RECEIVED = "received by the worst server"


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A picture with words; all plain.

    Attributes:
        title: Empty where the column says it.
        span: Number of columns for which it is the answer.
        over_truth: Whether it is a guess or a received picture, which the slider compares with the truth.
    """

    title: str
    caption: str
    path: Path
    span: int = 1
    over_truth: bool = True
    boxes: Sequence[Box] = ()


Cell = Tile | str | None
"""A picture, words in the place of one, or nothing."""


@dataclass(frozen=True, kw_only=True)
class DefenseRow:
    """One picture under one defense, and the masks of other weights that send the same.

    Attributes:
        colour: That of its plugin in figures.
        others: Masks by defense.
    """

    defense: str
    colour: str
    masks: Tile | None
    others: Mapping[str, Tile]
    cells: Sequence[Cell]


@dataclass(frozen=True, kw_only=True)
class PictureRow:
    """One picture under all defenses.

    Attributes:
        columns: Headings of the cells, after the one of the masks.
        controls: Rows of defenses that are no baselines.
    """

    image: str
    truth: Path
    columns: Sequence[str]
    rows: Sequence[DefenseRow]
    controls: Sequence[DefenseRow]

    @property
    def paths(self) -> list[Path]:
        """All its pictures."""
        rows = [*self.rows, *self.controls]
        tiles = [tile for row in rows for tile in (row.masks, *row.others.values(), *row.cells)]
        return [self.truth, *(tile.path for tile in tiles if isinstance(tile, Tile))]


def gallery(run: Run, colours: Mapping[str, str], apart: Collection[str]) -> Iterator[PictureRow]:
    """Yield the exhibits in the order of the suite's pictures as far as it is known, and of its defenses.

    Args:
        colours: By plugin.
        apart: Defenses that are controls and no baselines.
    """
    order = {canonical_json(identity): place for place, identity in enumerate(run.defenses.values())}
    names = {canonical_json(identity): label for label, identity in run.defenses.items()}
    known = [stored for stored in read_exhibits(run.directory) if canonical_json(stored.defense) in order]
    values = ExhibitValues(run)
    families = [family for family in FAMILIES if family in values.families]
    columns = [_RECEIVED, *(f"best guess by {name}" for name in values.distances), *families]
    for image, group in groupby(known, key=lambda stored: stored.image):
        mine = sorted(group, key=lambda stored: order[canonical_json(stored.defense)])
        together: dict[str, list[Stored]] = {}
        for stored in mine:
            together.setdefault(_messages(stored), []).append(stored)
        rows = {}
        for same in together.values():
            # The row of the defense whose messages were attacked; other weights send the same.
            first = next((stored for stored in same if stored.seen is not None), same[0])
            label = names[canonical_json(first.defense)]
            masks = {names[canonical_json(each.defense)]: _masks(each, values) for each in same}
            rows[label] = DefenseRow(
                defense=label,
                colour=colours[first.defense["name"]],
                masks=masks.pop(label),
                others={name: tile for name, tile in masks.items() if tile},
                cells=list(_cells(run, first, values, families)),
            )
        yield PictureRow(
            image=image,
            truth=mine[0].truth,
            columns=columns,
            rows=[row for label, row in rows.items() if label not in apart],
            controls=[row for label, row in rows.items() if label in apart],
        )


def _messages(stored: Stored) -> str:
    """Return what tells a defense's messages from those of others: all but its weights."""
    params = {name: value for name, value in stored.defense["params"].items() if name != "weights"}
    return canonical_json({**stored.defense, "params": params})


def _masks(stored: Stored, values: ExhibitValues) -> Tile | None:
    if stored.masks is None:
        return None
    iou = values.utility(canonical_json(stored.defense), stored.image)
    caption = "" if iou is None else f"mean {iou[0]} here {quantity(iou[1])}"
    return Tile(title="", caption=caption, path=stored.masks, over_truth=False)


def _cells(run: Run, stored: Stored, values: ExhibitValues, families: Sequence[str]) -> Iterator[Cell]:
    """Yield what was received, the best guess by each distance (one tile for equal ones), and that of each family."""
    if stored.seen is None:
        yield from [None] * (1 + len(values.distances) + len(families))
        return
    receiver = (
        f"server{'s' if '+' in stored.servers else ''} {stored.servers}" if stored.servers else "all servers"
    )
    yield Tile(
        title=receiver,
        caption=stored.received,
        path=stored.seen,
        boxes=values.read("", stored),
    )
    leakages = {
        canonical_json(attack): (values.leakages(canonical_json(attack), stored), path)
        for attack, path in stored.guesses
        if canonical_json(attack) in run.attacks
    }
    shown: list[Tile | None] = []
    for distance in values.distances:
        scored = {key: found[distance] for key, (found, _) in leakages.items() if distance in found}
        if not scored:
            shown.append(None)
            continue
        key = max(scored, key=lambda each: scored[each])
        caption = f"leakage {distance} {quantity(scored[key])}"
        last = shown[-1] if shown else None
        if last and last.path == leakages[key][1]:
            shown[-1] = replace(
                last, span=last.span + 1, caption=f"{last.caption}, {caption.removeprefix('leakage ')}"
            )
        else:
            title, path = run.attacks[key], leakages[key][1]
            shown.append(Tile(title=title, caption=caption, path=path, boxes=values.read(key, stored)))
    yield from shown
    best = {tile.path for tile in shown if tile}
    for family in families:
        own = [key for key in leakages if family in values.families_of(key)]
        if not own:
            yield None
        elif leakages[own[0]][1] in best:
            yield f"the best guess of {run.attacks[own[0]]}, to the left"
        else:
            found, path = leakages[own[0]]
            caption = ", ".join(f"{name} {quantity(value)}" for name, value in found.items())
            caption = f"leakage {caption}" if caption else ""
            yield Tile(
                title=run.attacks[own[0]], caption=caption, path=path, boxes=values.read(own[0], stored)
            )
