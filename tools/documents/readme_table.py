"""The table of results in the README."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pedbench.report.numbers.combined import combined, measures_of, rules_of
from pedbench.report.tables.overview import attack, attacked, counts, number, reference, without_controls
from pedbench.report.tables.table import Cell, Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.results.run import Run, load
from pedbench.validity.controls import broken_controls, controls


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
    frame = combined(run)
    rules = rules_of(frame)
    if not rules:
        raise ValueError(f"{run_dir} is no run to show: its suite has no coalition rule")
    compared, apart = without_controls(frame, controls(run))
    parts = [_selection(run, frame), _table(compared, rules[0]).markdown()]
    if len(apart):
        parts += ["Controls, which are no baselines:", _table(apart, rules[0]).markdown()]
    return "\n\n".join(parts)


def _table(frame: pd.DataFrame, rule: str) -> Table:
    measures = measures_of(frame)
    words = f"words_read_{rule}"
    shown = frame[f"{words}_value"].notna().any()
    head = columns("defense", text=True)
    head += columns(utility_title(frame), "retention", better="higher") + columns("of", text=True)
    head += columns(f"visible, {short_rule(rule)}", better="lower")
    head += columns(*(f"{name}, {short_rule(rule)}" for name in measures), better="lower")
    head += columns("words read", better="lower") if shown else []
    head += columns("wall", "turn-taking", unit="s", better="lower")
    head += columns("up", unit="B", better="lower") + columns("n")
    lines: list[list[Cell]] = []
    for _, row in frame.iterrows():
        line = [Code(row["defense"]), number(row, "utility"), number(row, "retention", interval=False)]
        line += [reference(row), number(row, f"visible_share_{rule}", interval=False)]
        line += [(attacked(row, name, rule), " ", *attack(row, name, rule)) for name in measures]
        line += [number(row, words, interval=False)] if shown else []
        line += [number(row, name, interval=False) for name in ("wall_p50", "turn_taking_p50", "bytes_up")]
        lines.append([*line, counts(row, frame)])
    return Table(columns=head, rows=lines)


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
