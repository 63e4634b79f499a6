"""Processes that attacks run in: they send no reports of use, and end without output."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys


def test_reports_of_use_are_off_in_the_run_and_in_the_process() -> None:
    names = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "RAY_USAGE_STATS_ENABLED")
    script = (
        "import json, os, pedbench; from pedbench.adversary.isolation.environment import environment\n"
        f"print(json.dumps([[each.get(name) for name in {names}] for each in (os.environ, environment('', ''))]))"
    )
    contrary = {**os.environ, **dict.fromkeys(names[:3], "0"), "RAY_USAGE_STATS_ENABLED": "1"}
    printed = subprocess.run([sys.executable, "-c", script], env=contrary, stdout=subprocess.PIPE, check=True)
    assert json.loads(printed.stdout) == [["1", "1", "1", "0"]] * 2


def test_zygote_ends_without_a_word() -> None:
    """Libraries that it holds would print what they did not free."""
    script = (
        "import atexit; atexit.register(print, 'not freed')\n"
        "from pedbench.adversary.isolation.zygote import main\n"
        "main()"
    )
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        link = theirs.fileno()
        done = subprocess.run(
            [sys.executable, "-c", script, str(link)], pass_fds=[link], capture_output=True, check=True
        )
    assert (done.stdout, done.stderr) == (b"", b"")
