"""Making a run the baseline: with a reason, tolerances that its repeats show, and a diary of what it changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pedbench.regression.baseline import add_to_diary, read_baseline, write_baseline
from pedbench.regression.compare import compare
from pedbench.regression.markdown import causes, counted, numbers, whole_cells
from pedbench.regression.measured import Measured, measured_run
from pedbench.regression.tolerance import level, measure
from pedbench.validity.controls import broken_controls

MOST_LINES = 200
"""Numbers that are listed in the diary of one change."""


def accept(run_dir: Path, repeats: Sequence[Path], path: Path, reason: str) -> str:
    """Write a baseline, and what it changes into the diary beside it.

    Args:
        run_dir: What becomes the baseline.
        repeats: The same run again, at least once; with other CPU feature levels too, if it is to hold for them.
        path: Of the baseline's records.
        why: The reason.

    Returns:
        The diary's new entry, as Markdown.

    Raises:
        FileNotFoundError: A directory holds no run.
        ValueError: The run is not whole or not valid, a repeat is not one, or there is no reason.
    """
    if not reason.strip():
        raise ValueError("a baseline changes for a reason: --why must say it.")
    if not repeats:
        raise ValueError(
            "the tolerances of a baseline are what repeats differ by: give at least one --repeat, a run of the same "
            "suite by the same code."
        )
    measured = measured_run(run_dir)
    _check_whole(measured)
    others = [measured_run(repeat) for repeat in repeats]
    for each in others:
        _check_repeat(measured, each)
    runs = [{record.cell_id: record for record in each.run.records} for each in (measured, *others)]
    entry = _entry(path, measured, reason)
    about = {
        "accepted": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "why": reason,
        "runs": [_origin(each) for each in (measured, *others)],
    }
    write_baseline(path, measured, measure(runs), about)
    add_to_diary(path, entry)
    return entry


def _check_whole(measured: Measured) -> None:
    run = measured.run
    bad = [record for record in run.records if record.status in ("failed", "invalid")]
    if run.missing or bad:
        first = f", first {run.defense(bad[0])}: {bad[0].reason}" if bad else ""
        raise ValueError(
            f"{run.directory} is no baseline: {len(run.missing)} cells have no result, {len(bad)} failed or are "
            f"invalid{first}."
        )
    if broken := broken_controls(run):
        raise ValueError(f"{run.directory} is no baseline: {broken[0]}.")


def _check_repeat(measured: Measured, repeat: Measured) -> None:
    refusal = f"{repeat.run.directory} is no repeat of {measured.run.directory}"
    if repeat.run.directory.resolve() == measured.run.directory.resolve():
        raise ValueError(f"{refusal}: it is the same run. `pedbench run --fresh` makes another.")
    repeated = {record.cell_id: record for record in repeat.run.records}
    for record in measured.run.records:
        other = repeated.get(record.cell_id)
        if other is None or other.status != record.status:
            found = other.status if other else "no result"
            raise ValueError(
                f"{refusal}: {measured.run.defense(record)}, cell {record.cell_id}, is {record.status} there and has "
                f"{found} here."
            )
        for name in ("sources", "commit"):
            if other.provenance.get(name) != record.provenance.get(name):
                raise ValueError(
                    f"{refusal}: {measured.run.defense(record)}, cell {record.cell_id}, was measured by other code "
                    f"({name} differ)."
                )


def _origin(measured: Measured) -> dict[str, Any]:
    record = measured.run.records[0]
    kept = ("run_id", "utc", "cores", "threads")
    return {"level": level(record), **{name: record.provenance.get(name) for name in kept}}


def _entry(path: Path, measured: Measured, reason: str) -> str:
    first = measured.run.records[0]
    commit = str(first.provenance.get("commit", ""))[:12] or "unknown"
    dirty = ", with changes that are not committed" if first.provenance.get("dirty") else ""
    suite = measured.run.suite
    title = f"## {datetime.now(timezone.utc).date()}: {reason}"
    about = (
        f"Suite `{suite.name}` version {suite.version}, {measured.run.pictures} pictures, "
        f"{len(measured.run.records)} cells, commit {commit}{dirty}."
    )
    return "\n\n".join(filter(None, [title, about, *_differences(path, measured)])) + "\n"


def _differences(path: Path, measured: Measured) -> list[str]:
    if not path.is_file():
        return ["The first baseline."]
    try:
        base, _ = read_baseline(path)
        lines = compare(base, measured)
    except (ValueError, FileNotFoundError) as error:
        return [f"Nothing can be compared with the baseline before: {error}"]
    reasons = "\n".join(causes(lines, []))
    return [counted(lines), reasons, whole_cells(lines), numbers(lines, everything=False, most=MOST_LINES)]
