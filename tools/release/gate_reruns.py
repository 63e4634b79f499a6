"""Share of unchanged runs that the gate passes: `python -m tools.release.gate_reruns`.

Runs the suite `proof` on two pictures with another number of workers and threads each time, compares each run with a
baseline of two runs, and writes the counts into docs/measured/instruments.md.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from unittest.mock import patch

from pedbench.engines.runner import run
from pedbench.host.console import Console
from pedbench.host.determinism import torch_threads
from pedbench.host.stopwatch import Profile
from pedbench.registry import Registry
from pedbench.regression.accept import accept
from pedbench.regression.baseline import read_baseline
from pedbench.regression.compare import compare
from pedbench.regression.measured import measured_run
from pedbench.results.run_directory import SUITE
from pedbench.suites.files import load_suite, to_toml
from pedbench.suites.resolve import Overrides, resolve
from tools.documents.measured_blocks import measured

WORKERS = (1, 2, 3, 4)
THREADS = (1, 2)


@measured("measured/instruments.md", "reruns")
def main(runs: int = 20) -> str:
    """Rerun unchanged code, and compare it with a baseline."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, second = (rerun(folder / f"first-{number}", 1, 1) for number in range(2))
        path = folder / "proof-v1.jsonl"
        accept(first, [second], path, "To be rerun.")
        accepted, _ = read_baseline(path)
        passed, verdicts = 0, Counter[str]()
        for number in range(runs):
            workers, threads = WORKERS[number % len(WORKERS)], THREADS[number // 2 % len(THREADS)]
            lines = compare(accepted, measured_run(rerun(folder / str(number), workers, threads)))
            passed += not any(line.fails for line in lines)
            verdicts.update(line.verdict for line in lines)
            print(f"{number + 1}: {passed} passed, {dict(verdicts)}", flush=True)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    return (
        f"**{passed} of {runs}** reruns passed, with 1 to {max(WORKERS)} workers and {THREADS[0]} or {THREADS[1]} "
        f"threads: {counts}."
    )


def rerun(directory: Path, workers: int, threads: int) -> Path:
    """Run the suite in this process.

    Args:
        workers: Processes that attack, and threads that score masks.
        threads: Threads of torch.
    """
    suite = resolve(load_suite("proof"), Overrides(limit=2), Registry())
    directory.mkdir()
    (directory / SUITE).write_text(to_toml(suite), encoding="utf-8")
    with (
        torch_threads(threads),
        patch("pedbench.engines.open_bench.cores", lambda: workers),
        patch("pedbench.host.determinism.cores", lambda: workers),
        patch("pedbench.report.outputs.writing.write_report", lambda *_, **__: None),
    ):
        run(suite, directory, Console(), [], Profile())
    return directory


if __name__ == "__main__":
    main()
