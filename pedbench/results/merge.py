"""One run out of several that measured the same pictures with the same model, so that one report can show them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pedbench.results.exhibits import FOLDER as EXHIBITS
from pedbench.results.records import Record, append_record, write_plan
from pedbench.results.run import Run, load
from pedbench.results.run_directory import SUITE
from pedbench.results.selection import FILE as SELECTION
from pedbench.results.values import shard_files
from pedbench.suites.files import to_toml
from pedbench.suites.schema import Suite

_SAME = ("model", "seed", "seeds", "dataset", "utility", "metrics", "coalitions", "gallery", "servers")
"""Fields that suites must agree in; what they measure with and against may differ."""


def merge(run_dirs: Sequence[Path], folder: Path) -> Path:
    """Put the records, values and exhibits of runs together in a new run directory.

    Of a cell that several have, the newest record counts.

    Args:
        run_dirs: At least two; they are left as they are.
        into: Folder in which the new directory is made; its name follows from the runs'.

    Returns:
        The new directory, in place of an earlier one of the same runs.

    Raises:
        FileNotFoundError: A directory holds no run.
        ValueError: The runs do not belong together; the message says which and why.
    """
    runs = [load(path.resolve()) for path in run_dirs]
    first = runs[0]
    refused = [f"{run.directory}: {reason}" for run in runs[1:] for reason in _differences(first, run)]
    if refused:
        raise ValueError(
            f"these runs cannot be put into one report with {first.directory}:\n" + "\n".join(refused)
        )
    name = hashlib.sha256("\n".join(run.directory.name for run in runs).encode()).hexdigest()[:8]
    directory = folder / f"{first.suite.name}-merged-{name}"
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "values").mkdir(parents=True)
    (partial / SUITE).write_text(to_toml(_union([run.suite for run in runs])), encoding="utf-8")
    if (first.directory / SELECTION).is_file():
        shutil.copy2(first.directory / SELECTION, partial)
    newest: dict[str, tuple[Run, Record]] = {}
    for run in runs:
        if (run.directory / EXHIBITS).is_dir():
            shutil.copytree(run.directory / EXHIBITS, partial / EXHIBITS, dirs_exist_ok=True)
        for record in run.records:
            known = newest.get(record.cell_id)
            if known is None or _utc(known[1]) < _utc(record):
                newest[record.cell_id] = (run, record)
    for run, record in newest.values():
        append_record(partial, record)
        for shard in shard_files(run.directory, record.cell_id):
            shutil.copy2(shard, partial / "values")
    planned = dict.fromkeys([*newest, *(cell_id for run in runs for cell_id in run.missing)])
    write_plan(partial, list(planned))
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)
    return directory


def _differences(first: Run, other: Run) -> Iterator[str]:
    for name in _SAME:
        mine, theirs = (getattr(run.suite, name) for run in (first, other))
        if mine != theirs:
            yield f"{name} is {_shown(theirs)}, not {_shown(mine)}"
    for name, meaning in (("revision", "the dataset's revision"), ("floors", "the hash of the floors")):
        mine, theirs = (
            sorted({r.cell[name] for r in run.records if name in r.cell}) for run in (first, other)
        )
        if mine and theirs and mine != theirs:
            yield f"{meaning} is {', '.join(theirs)}, not {', '.join(mine)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_shown(each) for each in value)}]"
    return repr(value)


def _union(suites: Sequence[Suite]) -> Suite:
    """Return the first suite with what only the others measure."""
    update: dict[str, Any] = {"name": f"{suites[0].name}-merged"}
    for name in ("defenses", "attacks", "probes"):
        found: list[Any] = []
        for suite in suites:
            found += [choice for choice in getattr(suite, name) if choice not in found]
        update[name] = found
    return suites[0].model_copy(update=update)


def _utc(record: Record) -> str:
    return str(record.provenance.get("utc", ""))
