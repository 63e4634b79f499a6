"""Measure memory and time per picture over many pictures: `python -m tools.benchmarks.memory_curve`.

Runs a suite of `ped_sam` under floors, one coalition, over more and more scenes, or photographs, each in a process of
its own, and writes the table into docs/measured/scaling.md; with `--attacked` a suite of all attacks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pedbench.engines.time_left import FILE
from pedbench.report.words.text import table
from tools.chaos.kills import descendants, only_run
from tools.documents.measured_blocks import measured

SCENES = (64, 256, 1024)
PHOTOGRAPHS = (20, 80)
ATTACKED = (8, 32)
EVERY = 0.2
"""Seconds between two readings of the memory."""

SUITE = """
name = "memory"
version = 1
seed = 0
model = "mini"
exhibits = 0
attacks = {attacks}
metrics = {metrics}
coalitions = [{{ c = 1, m = 1 }}]
dataset = {{ {dataset}, limit = {count} }}
utility = [{{ protocol = "clicks", prompts = ["1"] }}]
defenses = {defenses}
latency = {{ samples = 1, warmup = 1, turn_taking = false }}
"""

FEW = {
    "attacks": '["mean_colour", "nearest_pixel", "random_image"]',
    "metrics": '["root_mean_square_error", "structural_similarity"]',
    "defenses": '[{ name = "ped_sam", params = { servers = 3 }, latency = false }]',
}

# One defense that sends pixels and one that sends tokens, so that each attack has something to use.
ALL = {
    "attacks": """[
        "mean_colour", "nearest_pixel", "biharmonic", "random_image", "read_degraded", "deblur",
        { name = "deblur", params = { method = "learned" } }, "patch_inversion", "token_decoder", "averaging", "jigsaw",
        "accumulate", "metadata", "completion", "vitmae", { name = "token_inversion", params = { steps = 30 } },
        { name = "guided_inversion", params = { evaluations = 30 } },
        { name = "diffusion_inpaint", params = { samples = 1, steps = 6 } },
    ]""",
    "metrics": '["root_mean_square_error", "peak_signal_noise_ratio", "structural_similarity", '
    '"learned_perceptual_similarity"]',
    "defenses": '[{ name = "ped_sam", params = { servers = 3 }, latency = false }, '
    '{ name = "token_noise", latency = false }]',
}


@dataclass(frozen=True, kw_only=True)
class Point:
    """Memory and time of a run.

    Attributes:
        measuring: Peak bytes of the process and all its descendants until the last shard was done.
        reporting: The same afterwards, when records and report are written.
        picture: Seconds for each picture: of each defense the median of its shards, all defenses together.
    """

    count: int
    measuring: int
    reporting: int
    picture: float


@dataclass(frozen=True, kw_only=True)
class Look:
    """Memory of a run at one moment.

    Attributes:
        jobs: Number of finished jobs.
        memory: Bytes of the process and all its descendants; shared pages count once. Pages of files are left out:
            the kernel drops them when memory runs short.
    """

    jobs: int
    memory: int


@measured("measured/scaling.md")
def main(
    counts: list[int] | None = None, photographs: Path | None = None, attacked: bool = False
) -> dict[str, str]:
    """Measure runs over more and more pictures.

    Args:
        counts: Numbers of pictures.
        photographs: A folder of COCO's layout instead of scenes.
        attacked: All attacks instead of floors.
    """
    counts = counts or [*(ATTACKED if attacked else PHOTOGRAPHS if photographs else SCENES)]
    kind = "photographs" if photographs else "scenes"
    points = []
    with tempfile.TemporaryDirectory() as folder:
        if photographs:
            heaviest_first(photographs.resolve(), Path(folder))
            dataset = f'name = "coco", params = {{ data = "{folder}" }}'
        else:
            dataset = f'name = "scenes", params = {{ count = {max(counts)} }}'
        for count in counts:
            points.append(measured_point(count, {"dataset": dataset, **(ALL if attacked else FEW)}))
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
    columns = [kind, "peak while measuring", "peak while reporting", f"time a {kind[:-1]}"]
    return {f"memory curve, {kind}{', all attacks' if attacked else ''}": table(columns, rows)}


def heaviest_first(photographs: Path, folder: Path) -> None:
    """List the photographs with the most mask pixels first, so that the largest shard is in every run."""
    annotations = json.loads((photographs / "annotations" / "instances_val2017.json").read_text())
    instances = Counter(each["image_id"] for each in annotations["annotations"])
    annotations["images"].sort(key=lambda image: -instances[image["id"]] * image["height"] * image["width"])
    (folder / "images").symlink_to(photographs / "val2017")
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances.json").write_text(json.dumps(annotations))


def measured_point(count: int, parts: Mapping[str, str]) -> Point:
    """Run a suite over `count` pictures in a process of its own, and watch its memory."""
    with tempfile.TemporaryDirectory() as name:
        suite, out = Path(name) / "memory.toml", Path(name) / "out"
        suite.write_text(SUITE.format(count=count, **parts), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "pedbench", "run", str(suite), "--out", str(out)],
            stdout=subprocess.DEVNULL,
        )
        looks = []
        while process.poll() is None:
            looks.append(look(process.pid, out))
            time.sleep(EVERY)
        if process.returncode:
            raise RuntimeError(f"the run over {count} pictures ended with status {process.returncode}")
        times = pd.read_csv(only_run(out) / FILE)
    measuring = [each for each in looks if each.jobs < len(times)]
    paces = (times["seconds"] / times["pictures"]).groupby(times["defense"]).median()
    return Point(
        count=count,
        measuring=max(each.memory for each in measuring),
        reporting=max((each.memory for each in looks[len(measuring) :]), default=0),
        picture=float(paces.sum()),
    )


def look(pid: int, out: Path) -> Look:
    """Read a run's progress and memory."""
    jobs = [len(path.read_text().splitlines()) - 1 for path in out.glob(f"runs/*/{FILE}")]
    memory = 0
    for each in {pid, *descendants(pid)}:
        try:
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:
            continue
        lines = [line for line in rollup.splitlines() if line.startswith(("Pss_Anon:", "Pss_Shmem:"))]
        memory += sum(int(line.split()[1]) for line in lines)
    return Look(jobs=sum(jobs), memory=memory * 1024)


if __name__ == "__main__":
    main()
