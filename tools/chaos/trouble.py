"""`pedbench` in trouble: `python -m tools.chaos.trouble TROUBLE PASS STRAYS ARGUMENTS`, for `tools.chaos.__main__`.

At the pass of that number the trouble strikes the process. The file STRAYS counts windows that reached a server which
they were not assigned to.
"""

from __future__ import annotations

import datetime
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.adversary.isolation import landlock
from pedbench.cli import main
from pedbench.engines import runner
from pedbench.host import provenance
from pedbench.measure import bench
from pedbench.models.sam.stages import window_grid
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.run_pass import Pass


def kill(out: Path) -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def full(out: Path) -> None:
    """Limit files to the present size of the records, as on a full disk."""
    records = [file.stat().st_size for file in out.rglob("records.jsonl")]
    size = max([500, *records]) + 100
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def read_only(out: Path) -> None:
    """Make the kernel refuse writing, except in the folder for temporary files."""
    if not landlock.confine([Path("/")], [], [Path(os.environ["TMPDIR"]), Path("/dev")]):
        sys.exit("the kernel has no Landlock")


def jump(out: Path) -> None:
    """Put the clock forward by 400 days."""
    ahead = datetime.timedelta(days=400)
    right, clock = datetime.datetime, time.time

    class Jumped(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return right.now(tz) + ahead

    vars(provenance)["datetime"] = Jumped
    time.time = lambda: clock() + ahead.total_seconds()


def nothing(out: Path) -> None:
    """Do nothing."""


TROUBLES: dict[str, Callable[[Path], None]] = {
    "kill": kill,
    "full": full,
    "read-only": read_only,
    "jump": jump,
    "none": nothing,
}


def strays(defense: Any, frame: Any, networks: Any, done: Pass) -> int:
    """Count windows that reached a server which the defense did not assign them to."""
    if defense.name != "ped_sam":
        return 0
    size = frame.shape[:2]
    grid = window_grid(networks.network(defense.weights).image_encoder)
    part = assign(defense.assignment, grid.active(size), defense.servers, np.random.default_rng(0))
    return sum(
        tuple(window) not in part.get(message.server, ())
        for message in done.received
        for window in (message.payload or {"positions": np.zeros((0, 2))})["positions"].tolist()
    )


def disturb(trouble: str, number: int, file: Path, out: Path) -> None:
    """Make the trouble strike at the pass of a number, and count strays in a file."""
    real: Any = vars(bench)["run_pass"]
    passes = 0
    # The file stays open: the trouble may forbid to open it.
    stream = file.open("ab", buffering=0)

    def run_pass(defense: Any, frame: Any, servers: Any, networks: Any, *rest: Any, **more: Any) -> Any:
        nonlocal passes
        passes += 1
        if passes == number:
            TROUBLES[trouble](out)
        done = real(defense, frame, servers, networks, *rest, **more)
        stream.write(b"." * strays(defense, frame, networks, done))
        return done

    vars(bench)["run_pass"] = run_pass
    # Figures take longer than the rest, and nothing here depends on them.
    vars(runner)["write_report"] = lambda directory: None


if __name__ == "__main__":
    name, place, counted, *arguments = sys.argv[1:]
    disturb(name, int(place), Path(counted), Path(arguments[arguments.index("--out") + 1]))
    main(arguments)
