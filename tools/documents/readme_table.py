"""The table of results in the README."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pedbench.report.numbers.combined import combined, rules_of
from pedbench.report.tables.overview import attack, attacked, number
from pedbench.report.tables.table import Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.report.words.text import NOTHING
from pedbench.results.run import Run, load
from pedbench.validity.controls import broken_controls


def results(run_dir: Path) -> str:
    """Describe a run for the README: one row per defense, for one server alone.

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
    frame = combined(run)
    rules = rules_of(frame)
    if not rules:
        raise ValueError(f"{run_dir} is no run to show: its suite has no coalition rule")
    rule, leakage = rules[0], frame.iloc[0]["leakage_metric"]
    table = Table(
        columns=columns("defense", text=True)
        + columns(utility_title(frame), "retention", better="higher")
        + columns(f"visible, {short_rule(rule)}", f"{leakage}, {short_rule(rule)}", better="lower")
        + columns("strongest attack")
        + columns("wall", "turn-taking", unit="s", better="lower")
        + columns("up", unit="B", better="lower"),
        rows=[
            [
                Code(row["defense"]),
                number(row, "utility"),
                number(row, "retention", interval=False),
                number(row, f"visible_share_{rule}", interval=False),
                attacked(row, "leakage", rule),
                attack(row, "leakage", rule) or NOTHING,
                number(row, "wall_p50", interval=False),
                number(row, "turn_taking_p50", interval=False),
                number(row, "bytes_up", interval=False),
            ]
            for _, row in frame.iterrows()
        ],
    )
    return f"{_selection(run, frame)}\n\n{table.markdown()}"


def _selection(run: Run, frame: pd.DataFrame) -> str:
    suite = run.suite
    samples = frame["wall_p50_n"].max()
    timed = "" if pd.isna(samples) else f" Times are medians over {samples} pictures."
    commits = {str(record.provenance.get("commit", ""))[:12] for record in run.records} - {""}
    revision = f", commit {', '.join(sorted(commits))}" if commits else ""
    return (
        f"Suite `{suite.name}` version {suite.version}: {run.pictures} pictures of dataset "
        f"`{suite.dataset.name}`, model `{suite.model}`, seed {suite.seed}{revision}. "
        f"[low, high] is a 95 % bootstrap interval over pictures.{timed}"
    )
