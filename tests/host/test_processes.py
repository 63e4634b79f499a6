"""Where processes of servers can be started, and what is said where they cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

START = """
import multiprocessing, os, sys
from pedbench.host import processes
processes._PRELOAD.clear()
if sys.argv[1:] == ["daemon"]:
    multiprocessing.current_process()._config["daemon"] = True
if sys.argv[1:] == ["fork"]:
    processes.server_context()
    if os.fork():
        sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
process = processes.server_context().Process(target=print)
process.start()
process.join()
sys.exit(process.exitcode)
"""


def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), **variables}
    command = [sys.executable, "-c", START, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_long_temporary_folder_does(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    done = start(TMPDIR=str(folder))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("way", "found"), [("daemon", "multiprocessing.Pool"), ("fork", "in a fork of a process")]
)
def test_processes_that_cannot_start_servers_say_so(way: str, found: str) -> None:
    last = start(way).stderr.strip().rpartition("ValueError: ")[2]
    assert last.startswith("servers cannot start")
    assert found in last
