"""Measure whether memory and time a picture stay the same over many pictures: `python -m docs.memory_curve`.

Runs a suite of `ped_sam` under floors, one coalition, over more and more scenes, each in a process of its own, and
writes the table into docs/many_machines.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from docs.blocks import replace_block
from docs.kills import descendants, only_run
from pedbench.job_times import read_times
from pedbench.report.text import table

COUNTS = (64, 256, 1024)
EVERY = 0.5
"""Seconds between two looks at the memory."""

SUITE = """
name = "memory"
version = 1
seed = 0
model = "mini"
exhibits = 0
attacks = ["mean_colour", "nearest_pixel", "random_image"]
metrics = ["root_mean_square_error", "structural_similarity"]
coalitions = [{{ c = 1, m = 1 }}]
dataset = {{ name = "scenes", params = {{ count = {most} }}, limit = {count} }}
utility = [{{ protocol = "clicks", prompts = ["1"] }}]
defenses = [{{ name = "ped_sam", params = {{ servers = 3 }}, latency = false }}]
latency = {{ samples = 1, warmup = 1, turn_taking = false }}
"""


@dataclass(frozen=True, kw_only=True)
class Point:
    """What a run took.

    Attributes:
        measuring: Peak bytes of the process and all that it started until the last shard was done.
        reporting: The same afterwards, when records and report are written.
        picture: Seconds for each picture of a shard.
    """

    count: int
    measuring: int
    reporting: int
    picture: float


def main() -> None:
    """Read the command line, measure, write and judge."""
    parser = argparse.ArgumentParser(prog="python -m docs.memory_curve", description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="of scenes")
    given = parser.parse_args()
    points = []
    for count in given.counts:
        points.append(measured(count, max(given.counts)))
        print(points[-1], flush=True)
    rows = [
        [
            str(point.count),
            f"{point.measuring / 1e6:,.0f} MB",
            f"{point.reporting / 1e6:,.0f} MB",
            f"{point.picture:.3f} s",
        ]
        for point in points
    ]
    text = table(["scenes", "peak while measuring", "peak while reporting", "time a scene"], rows)
    replace_block(Path(__file__).with_name("many_machines.md"), "memory curve", text)


def measured(count: int, most: int) -> Point:
    """Run the suite over so many scenes in a process of its own, and watch it."""
    with tempfile.TemporaryDirectory() as name:
        suite, out = Path(name) / "memory.toml", Path(name) / "out"
        suite.write_text(SUITE.format(count=count, most=most), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "pedbench", "run", str(suite), "--out", str(out)],
            stdout=subprocess.DEVNULL,
        )
        seen: list[tuple[int, int]] = []
        while process.poll() is None:
            jobs = len(next(iter(out.glob("runs/*/jobs.csv"))).read_text().splitlines()) if _began(out) else 0
            seen.append((jobs, memory({process.pid, *descendants(process.pid)})))
            time.sleep(EVERY)
        if process.returncode:
            raise RuntimeError(f"the run over {count} scenes ended with status {process.returncode}")
        times = read_times(only_run(out))
    last = len(times) + 1
    return Point(
        count=count,
        measuring=max(size for jobs, size in seen if jobs < last),
        reporting=max((size for jobs, size in seen if jobs >= last), default=0),
        picture=sum(each.seconds for each in times) / sum(each.pictures for each in times),
    )


def _began(out: Path) -> bool:
    return any(out.glob("runs/*/jobs.csv"))


def memory(pids: Sequence[int] | set[int]) -> int:
    """Bytes that processes take together; what they share counts once."""
    found = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        found += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return found * 1024


if __name__ == "__main__":
    main()
