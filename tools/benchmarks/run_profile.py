"""Write a run's time by stage into docs/measured/performance.md: `python -m tools.benchmarks.run_profile RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pedbench.host.stopwatch import Share, by_stage, read_profile
from pedbench.report.words.text import escape, table
from pedbench.results.run import load
from tools.documents.measured_blocks import measured


@measured("measured/performance.md", "profile")
def main(directory: Path) -> str:
    """Tabulate where a run spent its time.

    Args:
        directory: The run directory.
    """
    run = load(directory)
    rows = read_profile(directory)
    provenance = run.records[0].provenance
    seconds = sum(row.seconds for row in rows)
    named = 1 - next(row.share for row in rows if row.stage == "elsewhere")
    return (
        f"Suite `{run.suite.name}` version {run.suite.version}, {run.pictures} pictures, "
        f"{str(provenance['utc'])[:10]}, {provenance['cpu']}, {provenance['cores']} cores: "
        f"{seconds:.0f} s, {named:.1%} of them in named stages.\n\n{profile_table(rows)}"
    )


def profile_table(rows: Sequence[Share]) -> str:
    """Tabulate stages, the longest first, each followed by its main parts."""
    lines = []
    for whole, parts in by_stage(rows):
        lines.append([f"**{whole.stage}**", f"{whole.seconds:.1f}", f"{whole.share:.1%}"])
        lines += [[escape(row.part), f"{row.seconds:.1f}", f"{row.share:.1%}"] for row in parts]
    return table(["stage, and its parts", "seconds", "share"], lines, left=1)


if __name__ == "__main__":
    main()
