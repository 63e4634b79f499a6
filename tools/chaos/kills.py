"""Whether a run that is killed loses anything: `python -m tools.chaos.kills`.

Runs the suite `proof` once undisturbed, then kills further runs of it at random moments and continues each, and writes
the outcome into docs/measured/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pedbench.results.records import RECORDS, Record, read_records
from pedbench.results.values import read_values
from tools.pages.blocks import DOCS, replace_block

PATIENCE = 90.0
"""Seconds after a kill in which all processes of the run have to be gone: two of Ray's own look each minute."""

ENGINES: dict[str, tuple[str, ...]] = {"local": (), "ray": ("--engine", "ray", "--workers", "2")}
"""Options of a run by engine."""


def main() -> None:
    """Read the command line, kill and write."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.chaos.kills", description="Kill runs, and continue them."
    )
    parser.add_argument("--kills", type=int, default=20, help="how many; 20 without it")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--engine", choices=ENGINES, default="local", help="local, or ray with two workers")
    given = parser.parse_args()
    options = ENGINES[given.engine]
    rng = np.random.default_rng(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.monotonic()
        subprocess.run(command(folder / "whole", options), check=True, stdout=subprocess.DEVNULL)
        lasted = time.monotonic() - began
        whole = only_run(folder / "whole")
        kept = []
        for number, moment in enumerate(np.sort(rng.uniform(0, lasted, given.kills))):
            out = folder / f"killed-{number}"
            orphans = killed(out, float(moment), options)
            before = finished(out)
            subprocess.run(command(out, options), check=True, stdout=subprocess.DEVNULL)
            wrong = differences(whole, only_run(out))
            print(
                f"{number + 1}: killed after {moment:.1f} s with {before} records, left {orphans} processes",
                flush=True,
            )
            if wrong or orphans:
                sys.exit("\n".join(wrong))
            kept.append(before)
    called = "" if given.engine == "local" else f" --engine {given.engine}"
    replace_block(
        DOCS / "measured" / "reliability.md",
        f"kills, {given.engine}",
        f"{given.kills} runs of `proof{called}` were killed at random moments of the {lasted:.0f} s that it takes, "
        f"with {min(kept)} to {max(kept)} records, and continued. **All {given.kills}** ended with the records and "
        "values of an undisturbed run, each record once, and no process outlived a kill "
        f"(`python -m tools.chaos.kills{called}`).",
    )


def command(out: Path, options: Sequence[str]) -> list[str]:
    """The run, as a user types it."""
    return [sys.executable, "-m", "pedbench", "run", "proof", *options, "--out", str(out)]


def killed(out: Path, moment: float, options: Sequence[str]) -> int:
    """Start a run, kill its process at a moment, and count what it started that is still there long after."""
    process = subprocess.Popen(command(out, options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(moment)
    started = descendants(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + PATIENCE
    while (left := {pid for pid in started if alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.2)
    return len(left)


def descendants(pid: int) -> set[int]:
    """All processes that a process has started, directly or not, and that are running."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def only_run(out: Path) -> Path:
    """The one run directory of an output folder."""
    (directory,) = (out / "runs").iterdir()
    return directory


def finished(out: Path) -> int:
    """How many whole records a killed run left."""
    runs = out / "runs"
    if not runs.is_dir() or not any(runs.iterdir()) or not (only_run(out) / RECORDS).is_file():
        return 0
    return len(read_records(only_run(out)))


def differences(whole: Path, continued: Path) -> list[str]:
    """What a continued run has other than an undisturbed one, times aside."""
    lines = (continued / RECORDS).read_text(encoding="utf-8").splitlines()
    ids = [json.loads(line)["cell_id"] for line in lines]
    wrong = [f"{cell_id} is there {ids.count(cell_id)} times" for cell_id in {*ids} if ids.count(cell_id) > 1]
    expected, found = read_records(whole), read_records(continued)
    if expected.keys() != found.keys():
        return [*wrong, f"records of other cells: {sorted(expected.keys() ^ found.keys())}"]
    for cell_id, record in expected.items():
        if signature(record) != signature(found[cell_id]):
            wrong.append(f"another record of {cell_id}")
        if not timeless(whole, cell_id).equals(timeless(continued, cell_id)):
            wrong.append(f"other values of {cell_id}")
    return wrong


def signature(record: Record) -> tuple[Any, ...]:
    """All of a record that does not depend on the clock or the place."""
    metrics = () if record.cell["kind"] == "latency" else record.metrics
    return record.cell, record.status, record.reason, metrics, record.flags


def timeless(run_dir: Path, cell_id: str) -> pd.DataFrame:
    """The values of a cell that are no times."""
    values = read_values(run_dir, cell_id)
    return values[~values["metric"].isin(["wall", "turn-taking"])].reset_index(drop=True)


if __name__ == "__main__":
    main()
