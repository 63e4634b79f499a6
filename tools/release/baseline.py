"""Make the committed baseline again: `python -m tools.release.baseline --why "..."`.

Runs the quick part of `mini` four times: twice as it is, and with two lower CPU feature levels. The first run becomes
the baseline, with tolerances from all four.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pedbench.regression.accept import accept

ROOT = Path(__file__).parents[2]

AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}
"""Variables that emulate a processor without AVX-512."""

PLAIN = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Nehalem",
}
"""Variables for the fewest features of each library, except oneDNN, which would be too slow with fewer."""

RUNS: tuple[Mapping[str, str], ...] = ({}, {}, AVX2, PLAIN)


def main() -> None:
    """Read the command line, run and accept."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release.baseline", description="Make the committed baseline again."
    )
    parser.add_argument("--why", required=True, help="the reason; it is kept with the differences")
    parser.add_argument(
        "--to", type=Path, default=ROOT / "reports" / "baselines" / "mini-quick.jsonl", help="its records"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first, *repeats = [run(Path(folder), environment) for environment in RUNS]
        print(accept(first, repeats, options.to, options.why))


def run(folder: Path, environment: Mapping[str, str]) -> Path:
    """Run the quick part of `mini` in a process of its own, and return its directory.

    Raises:
        subprocess.CalledProcessError: A measurement or a control failed.
    """
    command = [sys.executable, "-m", "pedbench", "run", "mini", "--quick", "--fresh", "--out", str(folder)]
    subprocess.run(
        command, env={**os.environ, **environment}, cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    return (folder / "latest").resolve()


if __name__ == "__main__":
    main()
