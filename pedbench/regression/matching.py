"""Matching of the cells of a run and a baseline, and what keeps two of them from being compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pedbench.results.records import Record
from pedbench.results.run import Run
from pedbench.suites.cell import canonical_json

ROLES = ("defense", "attack", "probe")

_SAME = ("kind", "coalition", "source", "protocol", "lie", "link", "dtype")
"""Fields that, with the plugins' names, identify the same measurement across versions."""

_SELECTED = {
    "dataset": "dataset",
    "revision": "dataset revision",
    "selection": "selection of pictures",
    "model": "model family",
    "seed": "seed",
}
"""Fields that a whole run has in common; where they differ everywhere, the runs are about different things."""

_OTHERS = {
    **_SELECTED,
    "weights": "weights",
    "requests": "requests",
    "coalitions": "number of coalitions guessed from",
    "seeds": "seeds",
    "gallery": "gallery",
    "codecs": "codecs",
}


def counterparts(base: Run, new: Run) -> dict[str, Record | None]:
    """Return for each cell of `base` the record of `new` about the same question.

    That is the one with the same id, else the one that differs in versions, weights, pictures or added parameters,
    if just one comes into question.

    Returns:
        By cell id; None where there is none.
    """
    by_id = {record.cell_id: record for record in new.records}
    left: dict[str, list[Record]] = {}
    known = {record.cell_id for record in base.records}
    for record in new.records:
        if record.cell_id not in known:
            left.setdefault(_question(record), []).append(record)
    return {
        record.cell_id: by_id.get(record.cell_id) or _only(record, left.get(_question(record), []))
        for record in base.records
    }


def _question(record: Record) -> str:
    cell = record.cell
    names = [cell[role]["name"] if role in cell else "" for role in ROLES]
    return canonical_json([names, [cell.get(name) for name in _SAME]])


def _only(record: Record, candidates: Sequence[Record]) -> Record | None:
    for fits in (_equal, _compatible):
        fitting = [
            each
            for each in candidates
            if all(
                fits(record.cell[role]["params"], each.cell[role]["params"])
                for role in ROLES
                if role in record.cell
            )
        ]
        if fitting:
            return fitting[0] if len(fitting) == 1 else None
    return None


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one == other


def _compatible(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name] == other[name] for name in one.keys() & other.keys())


def changes(base: Run, new: Run, one: Record, other: Record) -> list[str]:
    """Return what differs between the identities of two cells, in words.

    Args:
        one: Of `base`.
        other: Its counterpart in `new`.
    """
    found = []
    for role in ROLES:
        if role in one.cell:
            before, after = one.cell[role], other.cell[role]
            if before["version"] != after["version"]:
                found.append(f"{role} {before['name']}: version {before['version']} -> {after['version']}")
            found += [f"{role} {before['name']}: {text}" for text in _parameters(before, after)]
    if one.cell.get("floors") != other.cell.get("floors"):
        found.append(f"floors: {', '.join(_floors(base, new)) or 'others'}")
    for name, words in _OTHERS.items():
        before, after = one.cell.get(name), other.cell.get(name)
        if before != after:
            found.append(f"{words}: {_short(before)} -> {_short(after)}")
    return found


def _parameters(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(before["params"].keys() | after["params"].keys()):
        values = [
            _short(each["params"][name]) if name in each["params"] else "none" for each in (before, after)
        ]
        if values[0] != values[1]:
            yield f"parameter {name} {values[0]} -> {values[1]}"


def _floors(base: Run, new: Run) -> Iterator[str]:
    """Yield the floors of one run that the other has not, or has in another version."""
    before, after = (_floor_versions(run) for run in (base, new))
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield f"{name} version {before.get(name, 'none')} -> {after.get(name, 'none')}"


def _floor_versions(run: Run) -> dict[str, int]:
    return {
        run.attack(record): record.cell["attack"]["version"]
        for record in run.records
        if record.attacker.get("floor")
    }


def check_comparable(base: Run, new: Run, pairs: Mapping[str, Record | None]) -> None:
    """Refuse two runs of which no cell can be compared, as they are about different things.

    Raises:
        ValueError: Saying what differs.
    """
    records = {record.cell_id: record for record in base.records}
    if any(other is not None and other.cell_id == cell_id for cell_id, other in pairs.items()):
        return
    statement = f"{_description(new)} has no cell in common with {_description(base)}"
    found = [(records[cell_id], other) for cell_id, other in pairs.items() if other is not None]
    if not found:
        raise ValueError(f"{statement}. Compare runs of one suite.")
    differing = [
        f"its {words} is {_short(found[0][1].cell.get(name))}, not {_short(found[0][0].cell.get(name))}"
        for name, words in _SELECTED.items()
        if all(one.cell.get(name) != other.cell.get(name) for one, other in found)
    ]
    if differing:
        raise ValueError(
            f"{statement}: {'; '.join(differing)}. Compare runs of the same pictures, or accept a new baseline."
        )


def _description(run: Run) -> str:
    suite = run.suite
    pictures = f"{run.pictures} pictures" if run.pictures else "no picture"
    return f"{run.directory} (suite {suite.name} version {suite.version}, {pictures})"


def _short(value: Any) -> str:
    """Return a hash by its first digits."""
    text = value if isinstance(value, str) else canonical_json(value)
    return text[:12] if len(text) == 64 else text
