"""Make the committed baseline anew: `python -m tools.release.baseline --why "..."`.

Runs the quick part of `mini` four times, twice as it is and with two lower CPU feature levels. The first run becomes
the baseline, with the tolerances that all four show.
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
"""As on a processor without AVX-512."""

PLAIN = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Nehalem",
}
"""As little as each library can do with; oneDNN, which does most of the work, would take too long with less."""

RUNS: tuple[Mapping[str, str], ...] = ({}, {}, AVX2, PLAIN)


def main() -> None:
    """Read the command line, run and accept."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release.baseline", description="Make the committed baseline anew."
    )
    parser.add_argument("--why", required=True, help="the reason; it is kept with the differences")
    parser.add_argument(
        "--to", type=Path, default=ROOT / "reports" / "baselines" / "mini-quick.jsonl", help="its records"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first, *repeats = [run(Path(folder), environment) for environment in RUNS]
        print(accept(first, repeats, given.to, given.why))


def run(folder: Path, environment: Mapping[str, str]) -> Path:
    """Run the quick part of `mini` in a process of its own; its directory.

    Raises:
        subprocess.CalledProcessError: A measurement failed, or a control did not come out.
    """
    command = [sys.executable, "-m", "pedbench", "run", "mini", "--quick", "--fresh", "--out", str(folder)]
    subprocess.run(
        command, env={**os.environ, **environment}, cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    return (folder / "latest").resolve()


if __name__ == "__main__":
    main()
