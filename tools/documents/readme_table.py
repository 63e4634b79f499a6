"""The table of results in the README."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pedbench.report.numbers.combined import rules_of
from pedbench.report.numbers.first_table import first_table as first_numbers
from pedbench.report.tables.first import first_tables
from pedbench.report.tables.frontier import EQUAL, EQUAL_NOTE
from pedbench.results.run import Run, load
from pedbench.validity.controls import broken_controls

_ABOUT = {
    "": "",
    EQUAL: EQUAL_NOTE,
    "Variants": "Variants: the messages of a row above under other weights.",
    "Controls": "Controls, which are no baselines:",
}
"""Sentences above the tables by their titles."""


def results(run_dir: Path) -> str:
    """Describe a run for the README: one row per defense, for one server alone, and controls in a table of their own.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: The run is unfinished, has failed cells or a failed control, or no coalition rule.
    """
    run = load(run_dir)
    bad = [record.cell_id for record in run.records if record.status in ("failed", "invalid")]
    broken = broken_controls(run)
    if run.missing or bad or broken:
        raise ValueError(
            f"{run_dir} is no run to show: {len(run.missing)} cells are missing, {len(bad)} failed or invalid, "
            f"{len(broken)} controls failed"
        )
    frame = first_numbers(run)
    if not rules_of(frame):
        raise ValueError(f"{run_dir} is no run to show: its suite has no coalition rule")
    parts = [_selection(run, frame)]
    for table in first_tables(run):
        parts += [_ABOUT[str(table.title)], table.markdown()]
    return "\n\n".join(filter(None, parts))


def _selection(run: Run, frame: pd.DataFrame) -> str:
    suite = run.suite
    samples = frame["wall_p50_n"].max()
    timed = "" if pd.isna(samples) else f" Times are medians over {samples} pictures."
    commits = {str(record.provenance.get("commit", ""))[:12] for record in run.records} - {""}
    revision = f", commit {', '.join(sorted(commits))}" if commits else ""
    return (
        f"Suite `{suite.name}` version {suite.version}: {run.pictures} pictures of dataset "
        f"`{suite.dataset.name}`, model `{suite.model}`, seed {suite.seed}{revision}. "
        "[low, high] is a 95 % bootstrap interval over pictures; n counts pictures of utility, privacy and latency."
        f"{timed}"
    )
