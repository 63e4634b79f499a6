"""Feed hostile bytes to every reader of foreign bytes: `python -m tests.fuzz` in the checkout, or `make fuzz`.

Cases are hypothesis', and, where atheris is installed, those that it finds by the readers' own branches.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import subprocess
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.cases import spoilt
from tests.fuzz.targets import TARGETS, Target

MEMORY = 3 * 2**30
"""Bytes of address space that a reader may take beyond what its process has when it begins."""


def main() -> None:
    """Read the command line and try."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="of hypothesis, for each reader")
    parser.add_argument("--minutes", type=float, default=1.0, help="of atheris, for each reader")
    parser.add_argument("--only", choices=TARGETS, help="one reader")
    told = parser.parse_args()
    for name in [told.only] if told.only else TARGETS:
        _drawn(TARGETS[name], told.cases)
        if importlib.util.find_spec("atheris") is None:
            print(f"{name}: atheris is not installed, so no guided cases", flush=True)
        elif told.minutes > 0:
            # It takes over its process, and leaves it when it is done.
            subprocess.run([sys.executable, "-m", "tests.fuzz.guided", name, str(told.minutes)], check=True)


def _drawn(target: Target, cases: int) -> None:
    began, slowest, count = time.monotonic(), 0.0, 0
    for seed in target.seeds:
        target.hold(seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(spoilt(target))
    def hold(data: bytes) -> None:
        nonlocal slowest, count
        start = time.monotonic()
        target.hold(data)
        slowest, count = max(slowest, time.monotonic() - start), count + 1

    _limit_memory()
    hold()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{target.name}: {count} cases in {time.monotonic() - began:.0f} s, the slowest {1000 * slowest:.0f} ms, "
        f"at most {grown:.0f} MB more memory",
        flush=True,
    )


def _limit_memory() -> None:
    taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
