"""Write where a run spent its time into docs/measured/performance.md: `python -m tools.benchmarks.run_profile RUN`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pedbench.host.stopwatch import Share, by_stage, read_profile
from pedbench.report.words.text import escape, table
from pedbench.results.run import load
from tools.pages.blocks import DOCS, replace_block


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.benchmarks.run_profile", description="Write a run's profile down."
    )
    parser.add_argument("run", type=Path, help="its directory")
    given = parser.parse_args()
    run = load(given.run)
    rows = read_profile(given.run)
    made = run.records[0].provenance
    seconds = sum(row.seconds for row in rows)
    named = 1 - next(row.share for row in rows if row.stage == "elsewhere")
    block = (
        f"Suite `{run.suite.name}` version {run.suite.version}, {run.pictures} pictures, "
        f"{str(made['utc'])[:10]}, {made['cpu']}, {made['cores']} cores: {seconds:.0f} s, {named:.1%} of them "
        f"in named stages.\n\n{profile_table(rows)}"
    )
    replace_block(DOCS / "measured" / "performance.md", "profile", block)


def profile_table(rows: Sequence[Share]) -> str:
    """As Markdown: a line a stage, the longest first, and below it one for each job of it that counts."""
    lines = []
    for whole, parts in by_stage(rows):
        lines.append([f"**{whole.stage}**", f"{whole.seconds:.1f}", f"{whole.share:.1%}"])
        lines += [[escape(row.part), f"{row.seconds:.1f}", f"{row.share:.1%}"] for row in parts]
    return table(["stage, and its parts", "seconds", "share"], lines, left=1)


if __name__ == "__main__":
    main()
