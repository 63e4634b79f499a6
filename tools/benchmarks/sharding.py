"""Whether sharding over workers gives what is foretold, and the same records: `python -m tools.benchmarks.sharding`.

Runs a part of a suite in one process, then with one and with two workers of Ray, and writes the outcome into
docs/guide/many_machines.md. The machine must be quiet.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from math import fsum
from pathlib import Path

from pedbench.engines.job_times import read_times
from pedbench.engines.jobs import jobs_of
from pedbench.engines.scaling_simulation import costs, makespan
from pedbench.host.stopwatch import read_profile
from pedbench.models.sam.family import family
from pedbench.registry import Registry
from pedbench.report.words.text import table
from pedbench.results.records import read_records
from pedbench.suites.plan import make_plan
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import load_suite, quicker
from tools.chaos.kills import only_run, signature, timeless
from tools.pages.blocks import DOCS, replace_block

WORKERS = (1, 2)


def main() -> None:
    """Read the command line, run, compare and write."""
    parser = argparse.ArgumentParser(prog="python -m tools.benchmarks.sharding", description=__doc__)
    parser.add_argument("--suite", default="mini")
    parser.add_argument("--limit", type=int, help="only the first pictures")
    given = parser.parse_args()
    asked = [given.suite, "--quick", *(["--limit", str(given.limit)] if given.limit else [])]
    with tempfile.TemporaryDirectory() as name:
        here = run(Path(name) / "here", asked)
        runs = {
            count: run(Path(name) / str(count), [*asked, "--engine", "ray", "--workers", str(count)])
            for count in WORKERS
        }
        for count, directory in runs.items():
            if wrong := differences(here, directory):
                sys.exit("\n".join([f"{count} workers:", *wrong]))
        text = outcome(given.suite, given.limit, here, runs)
    print(text)
    replace_block(DOCS / "guide" / "many_machines.md", "sharding", text)


def run(out: Path, words: Sequence[str]) -> Path:
    """Run a suite, as a user types it; its directory."""
    command = [sys.executable, "-m", "pedbench", "run", *words, "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return only_run(out)


def differences(here: Path, there: Path) -> list[str]:
    """What another engine's run has other than that of one process, latency aside."""
    expected, found = read_records(here), read_records(there)
    wrong = [f"records of other cells: {sorted(expected.keys() ^ found.keys())}"]
    if expected.keys() == found.keys():
        wrong.clear()
    for cell_id, record in expected.items():
        if record.cell["kind"] != "latency" and cell_id in found:
            same = timeless(here, cell_id).equals(timeless(there, cell_id))
            if signature(record) != signature(found[cell_id]) or not same:
                wrong.append(f"another record or other values of {cell_id}, {record.cell['defense']['name']}")
    return wrong


def outcome(suite: str, limit: int | None, here: Path, runs: dict[int, Path]) -> str:
    """The table: what was foretold from the times of one worker, and what it took."""
    resolved = resolve(quicker(load_suite(suite)), Overrides(limit=limit), Registry())
    plan = make_plan(resolved, Registry(), family(resolved.model, resolved.weights or {}))
    jobs = [
        job
        for number, of in enumerate(plan.defenses)
        for job in jobs_of(plan, number, [cell.cell_id for cell in of.cells() if cell.kind != "latency"])
    ]
    cost = costs(read_times(runs[1]), read_profile(runs[1]))
    rows = []
    for count, directory in runs.items():
        foretold, took = makespan(plan, jobs, cost, count), seconds(directory)
        rows.append([str(count), f"{foretold:.0f} s", f"{took:.0f} s", f"{foretold / took - 1:+.0%}"])
    records = sum(record.cell["kind"] != "latency" for record in read_records(here).values())
    made = next(iter(read_records(here).values())).provenance
    return (
        f"`pedbench run {suite} --quick`, {len(plan.selection)} pictures, {len(jobs)} shards, {made['cpu']}, "
        f"{made['cores']} cores, each worker with one. All {records} records and their values were those of the run in "
        "one process (`python -m tools.benchmarks.sharding`).\n\n"
        + table(["workers", "foretold from one worker's jobs", "took", ""], rows)
    )


def seconds(directory: Path) -> float:
    """The whole of a run."""
    return fsum(share.seconds for share in read_profile(directory))


if __name__ == "__main__":
    main()
