"""Small whole runs, each in trouble; afterwards each is continued and compared."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pedbench.results.records import RECORDS, Record, read_records
from tools.chaos.kills import PATIENCE, alive, descendants, differences, only_run
from tools.chaos.tally import Tally

SUITE = """
name = "chaos"
version = 1
seed = 0
model = "mini"
attacks = ["mean_colour"]
metrics = ["root_mean_square_error"]
coalitions = [{ c = 1, m = 3 }]
dataset = { name = "scenes", params = { count = 4 }, limit = 2 }
utility = [{ protocol = "clicks", prompts = ["1"] }]
defenses = [{ name = "on_device" }, { name = "full_offload" }, { name = "ped_sam" }]
latency = { samples = 2, warmup = 1, turn_taking = false }
"""
PASSES = 9
"""Number of passes of the suite: a warm-up and two pictures for each defense."""

HUNGRY = '''"""An attack that takes more memory than there is."""

import resource
from dataclasses import dataclass

import numpy as np

from pedbench.base import Attack


@dataclass(kw_only=True)
class Hungry(Attack):
    """Take more memory than there is."""

    name = "hungry"
    version = 1
    needs = frozenset({"pixels"})

    def reconstruct(self, view, rng):
        limit = 32 * 2**30
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return np.ones((2**31, 8))
'''

KINDS = {
    "run: killed": "kill",
    "run: disk full": "full",
    "run: output read-only": "read-only",
    "run: clock jumps": "jump",
    "run: out of memory in an attack": "hungry",
    "run: two at once": "two",
}


class Runs:
    """Runs in trouble, and their tallies.

    Args:
        seed: Seed of the moments.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._scratch = tempfile.TemporaryDirectory(prefix="pedbench-chaos-runs-")
        self._folder = Path(self._scratch.name)
        self._tallies = {name: Tally(fault=name, lost=0) for name in KINDS}
        (self._folder / "suite.toml").write_text(SUITE)
        (self._folder / "hungry.py").write_text(HUNGRY)
        (self._folder / "tmp").mkdir()
        done = subprocess.run(
            self._command("none", 0, "whole"), capture_output=True, text=True, check=False, env=self._env
        )
        if done.returncode:
            raise RuntimeError(f"the undisturbed run fails: {done.stderr}")
        self._whole = only_run(self._folder / "whole")

    @property
    def _env(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self._folder / "tmp")}

    def close(self) -> list[Tally]:
        """Remove all files, and return the tally of each kind of trouble."""
        self._scratch.cleanup()
        return [tally for tally in self._tallies.values() if tally.tries]

    def attempt(self, name: str) -> None:
        """Try one run in trouble, and complete it."""
        tally, kind, out = self._tallies[name], KINDS[name], f"{KINDS[name]}-{self._tallies[name].tries}"
        tally.tries += 1
        number = int(self._rng.integers(2, PASSES + 1))
        more = ("--attack", "mean_colour", "--attack", "hungry", "--plugin", str(self._folder / "hungry.py"))
        started = [
            self._start(
                kind if kind not in ("hungry", "two") else "none",
                number,
                out,
                *(more if kind == "hungry" else ()),
            )
        ]
        if kind == "two":
            time.sleep(float(self._rng.uniform(0.5, 2.5)))
            started.append(self._start("none", 0, out))
        errors = []
        children: set[int] = set()
        for process in started:
            while process.poll() is None:
                children |= descendants(process.pid)
                time.sleep(0.05)
            errors.append(process.communicate()[1])
        tally.orphans += self._left(children)
        codes = [process.returncode for process in started]
        self._judge(tally, kind, codes, errors)
        directory = only_run(self._folder / out) if (self._folder / out / "runs").is_dir() else None
        before = dict(read_records(directory)) if directory and (directory / RECORDS).is_file() else {}
        if kind in ("kill", "full", "read-only"):
            continued = self._start("none", 0, out)
            words = continued.communicate()[1]
            if continued.returncode:
                tally.wrong.append(f"{name}: the run cannot be completed: {words}")
                return
        after = read_records(only_run(self._folder / out))
        tally.lost = (tally.lost or 0) + sum(
            after.get(cell) != record for cell, record in before.items() if record.status == "ok"
        )
        found = only_run(self._folder / out)
        wrong = self._hungry(after) if kind == "hungry" else differences(self._whole, found)
        tally.wrong += [f"{name}: {each}" for each in wrong]
        strays = self._folder / f"{out}.strays"
        tally.strays += len(strays.read_bytes())

    def _judge(self, tally: Tally, kind: str, codes: list[int], errors: list[str]) -> None:
        """Note whether the run ended as expected: finished, or with an error that says why."""
        expected = {"kill": [-9], "full": [2], "read-only": [2], "jump": [0], "hungry": [1], "two": [0, 2]}[
            kind
        ]
        if kind == "two":
            codes = sorted(codes)
        if codes != expected:
            tally.wrong.append(
                f"{tally.fault}: exit statuses {codes}, expected {expected}: {' '.join(errors)[-500:]}"
            )
        elif kind in ("jump", "hungry", "two"):
            tally.survived += 1
        else:
            tally.closed += 1

    def _hungry(self, after: dict[str, Record]) -> list[str]:
        failed = [record for record in after.values() if record.status == "failed"]
        others = [record for record in after.values() if record not in failed]
        wrong = [record.reason for record in failed if record.cell.get("attack", {}).get("name") != "hungry"]
        wrong += [] if failed else ["nothing failed"]
        return wrong + [record.reason for record in others if record.status not in ("ok", "skipped")]

    def _command(self, trouble: str, number: int, out: str, *more: str) -> list[str]:
        strays = self._folder / f"{out}.strays"
        command = [sys.executable, "-m", "tools.chaos.trouble", trouble, str(number), str(strays)]
        return [*command, "run", str(self._folder / "suite.toml"), "--out", str(self._folder / out), *more]

    def _start(self, trouble: str, number: int, out: str, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command(trouble, number, out, *more),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=self._env,
        )

    def _left(self, children: set[int]) -> int:
        until = time.monotonic() + PATIENCE
        while (left := {pid for pid in children if alive(pid)}) and time.monotonic() < until:
            time.sleep(0.1)
        return len(left)
