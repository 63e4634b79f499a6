"""Cases that atheris finds by the branches of a reader: `python -m tests.fuzz.guided READER MINUTES`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pedbench", "tomli"]):
    from tests.fuzz.targets import SECONDS, TARGETS

MEMORY = 4096
"""Megabytes that the process may take."""


def main() -> None:
    """Read the command line and try; atheris leaves the process when it is done."""
    target, minutes = TARGETS[sys.argv[1]], float(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="pedbench-fuzz-") as folder:
        seeds, words = Path(folder) / "seeds", Path(folder) / "words"
        seeds.mkdir()
        for number, seed in enumerate(target.seeds):
            (seeds / str(number)).write_bytes(seed)
        short = [word for word in target.words if len(word) <= 64]
        words.write_text("".join(f'"{_spelt(word)}"\n' for word in short), encoding="ascii")
        options = [
            f"-max_total_time={round(60 * minutes)}",
            f"-timeout={round(SECONDS)}",
            f"-rss_limit_mb={MEMORY}",
            f"-dict={words}",
            f"-artifact_prefix={target.name}-",
            "-max_len=20000",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *options, str(seeds)], target.hold)
        atheris.Fuzz()


def _spelt(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
