"""A run that is killed leaves no process, and the same command completes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.engines.comparison import without_times

ROOT = Path(__file__).parents[2]

SUITE = """
name = "cut"
version = 1
seed = 0
model = "mini"
attacks = ["mean_colour", "random_image"]
metrics = ["root_mean_square_error"]
coalitions = [{ c = 1, m = 3 }]
dataset = { name = "scenes", params = { count = 8 }, limit = 4 }
utility = [{ protocol = "clicks", prompts = ["1"] }]
defenses = [{ name = "on_device" }, { name = "full_offload" }, { name = "ped_sam" }]
latency = { samples = 2, warmup = 1, turn_taking = true }
"""

KILLER = """if True:
    import os, signal, sys
    from pedbench.measure import bench
    real, passes = bench.run_pass, []
    def run_pass(defense, frame, servers, *rest, **more):
        passes.append(defense.name)
        if len(passes) == {number}:
            print("pids", *servers.pids(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(defense, frame, servers, *rest, **more)
    bench.run_pass = run_pass
    from pedbench.cli import main
    main(["run", {suite!r}, "--out", {out!r}])
"""


@pytest.mark.long
@pytest.mark.parametrize("number", [8, 14])
def test_a_killed_run_leaves_nothing_behind_and_is_completed(tmp_path: Path, number: int) -> None:
    from pedbench.results.records import read_plan, read_records
    from pedbench.results.values import read_values

    suite = tmp_path / "cut.toml"
    suite.write_text(SUITE)

    def call(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
        )

    killed = call(KILLER.format(number=number, suite=str(suite), out=str(tmp_path / "cut")))
    assert killed.returncode == -signal.SIGKILL
    for pid in killed.stdout.split("pids")[1].split():
        wait_for_end(int(pid))
    (directory,) = (tmp_path / "cut" / "runs").iterdir()
    # Leave partial files, as if the run had been killed while writing.
    with (directory / "records.jsonl").open("a") as stream:
        stream.write('{"schema": 1, "cell_id": "half')
    (directory / "values" / "half.1.partial").write_bytes(b"half")
    for out in ("a", "cut"):
        finished = call(KILLER.format(number=-1, suite=str(suite), out=str(tmp_path / out)))
        assert finished.returncode == 0, finished.stderr
    (undisturbed,) = (tmp_path / "a" / "runs").iterdir()
    plan = read_plan(directory)
    assert plan == read_plan(undisturbed)
    lines = (directory / "records.jsonl").read_text().splitlines()
    assert len(lines) == len(plan)
    assert not list((directory / "values").glob("*.partial"))
    found, expected = read_records(directory), read_records(undisturbed)
    for cell_id in plan:
        assert found[cell_id].status == "ok"
        assert found[cell_id].flags == expected[cell_id].flags
        left, right = map(without_times, (read_values(directory, cell_id), read_values(undisturbed, cell_id)))
        pd.testing.assert_frame_equal(left, right, check_exact=True)
        counts = [len(read_values(run, cell_id)) for run in (directory, undisturbed)]
        assert counts[0] == counts[1]


def wait_for_end(pid: int) -> None:
    """Wait until a process that is not a child of this one has ended."""
    import select

    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    assert poll.poll(20_000), f"process {pid} lives on"
    os.close(handle)
