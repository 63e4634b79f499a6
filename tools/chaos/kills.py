"""Losses of killed runs: `python -m tools.chaos.kills`.

Runs the suite `proof` once undisturbed, then kills further runs of it at random moments and continues each, and writes
the counts into docs/measured/reliability.md.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from pedbench.results.records import RECORDS, Record, read_records
from pedbench.results.values import read_values
from tools.documents.measured_blocks import measured

PATIENCE = 90.0
"""Seconds after a kill until all processes of the run must be gone: two of Ray's own poll once a minute."""

ENGINES: dict[str, tuple[str, ...]] = {"local": (), "ray": ("--engine", "ray", "--workers", "2")}
"""Options of a run by engine."""


@measured("measured/reliability.md")
def main(kills: int = 20, seed: int = 0, engine: Literal["local", "ray"] = "local") -> dict[str, str]:
    """Kill runs, and continue them.

    Args:
        kills: Number of runs to kill.
        seed: Seed of the moments.
        engine: `local`, or `ray` with two workers.
    """
    options = ENGINES[engine]
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.monotonic()
        subprocess.run(command(folder / "whole", options), check=True, stdout=subprocess.DEVNULL)
        lasted = time.monotonic() - began
        whole = only_run(folder / "whole")
        kept = []
        for number, moment in enumerate(np.sort(rng.uniform(0, lasted, kills))):
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
    option = "" if engine == "local" else f" --engine {engine}"
    return {
        f"kills, {engine}": f"{kills} runs of `proof{option}` were killed at random moments of the {lasted:.0f} s that "
        f"it takes, with {min(kept)} to {max(kept)} records, and continued. **All {kills}** ended with the records and "
        "values of an undisturbed run, each record once, and no process outlived a kill "
        f"(`python -m tools.chaos.kills{option}`)."
    }


def command(out: Path, options: Sequence[str]) -> list[str]:
    """Return the command of a run, as a user types it."""
    return [sys.executable, "-m", "pedbench", "run", "proof", *options, "--out", str(out)]


def killed(out: Path, moment: float, options: Sequence[str]) -> int:
    """Start a run, kill its process after `moment` seconds, and count the descendants that outlive it by `PATIENCE`."""
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
    """List the running processes that a process has started, directly or not."""
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
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def only_run(out: Path) -> Path:
    """Return the only run directory of an output folder."""
    (directory,) = (out / "runs").iterdir()
    return directory


def finished(out: Path) -> int:
    """Count the complete records that a killed run left."""
    runs = out / "runs"
    if not runs.is_dir() or not any(runs.iterdir()) or not (only_run(out) / RECORDS).is_file():
        return 0
    return len(read_records(only_run(out)))


def differences(whole: Path, continued: Path) -> list[str]:
    """List differences between a continued run and an undisturbed one, times aside."""
    lines = (continued / RECORDS).read_text(encoding="utf-8").splitlines()
    ids = [json.loads(line)["cell_id"] for line in lines]
    wrong = [f"{cell_id} appears {ids.count(cell_id)} times" for cell_id in {*ids} if ids.count(cell_id) > 1]
    expected, found = read_records(whole), read_records(continued)
    if expected.keys() != found.keys():
        return [*wrong, f"records of other cells: {sorted(expected.keys() ^ found.keys())}"]
    for cell_id, record in expected.items():
        if signature(record) != signature(found[cell_id]):
            wrong.append(f"different record of {cell_id}")
        if not timeless(whole, cell_id).equals(timeless(continued, cell_id)):
            wrong.append(f"different values of {cell_id}")
    return wrong


def signature(record: Record) -> tuple[Any, ...]:
    """Return the parts of a record that do not depend on the clock or the machine."""
    metrics = () if record.cell["kind"] == "latency" else record.metrics
    return record.cell, record.status, record.reason, metrics, record.flags


def timeless(run_dir: Path, cell_id: str) -> pd.DataFrame:
    """Read the values of a cell that are no times."""
    values = read_values(run_dir, cell_id)
    return values[~values["metric"].isin(["wall", "turn-taking"])].reset_index(drop=True)


if __name__ == "__main__":
    main()
