"""The parts of the documents that hold measured numbers: written by a program between two markers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from pedbench.report.numbers.combined import combined, rules_of
from pedbench.report.tables.overview import attack, attacked, number
from pedbench.report.tables.table import Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.report.words.text import NOTHING
from pedbench.results.run import Run, load
from pedbench.validity.controls import controls

_ABOUT = columns("network", text=True) + columns("steps", "scenes", "sha256")

DOCS = Path(__file__).parents[2] / "docs"


def replace_block(document: Path, name: str, text: str) -> None:
    """Put a text between `<!-- NAME: begin -->` and `<!-- NAME: end -->`.

    Raises:
        ValueError: The document does not have these markers once each, in this order.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    whole = document.read_text(encoding="utf-8")
    parts = re.split(f"({re.escape(begin)}|{re.escape(end)})", whole)
    if parts[1::2] != [begin, end]:
        raise ValueError(f"{document}: expected {begin!r} and {end!r} once each, in this order")
    before, _, _, _, after = parts
    document.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def results(run_dir: Path) -> str:
    """What the README tells of a run: a line a defense, about one server alone.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: The run is unfinished, has failed cells or a failed control, or no coalition rule.
    """
    run = load(run_dir)
    bad = [record.cell_id for record in run.records if record.status in ("failed", "invalid")]
    broken = [control for control in controls(run_dir) if control.verdict == "fails"]
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
    at = f", commit {', '.join(sorted(commits))}" if commits else ""
    return (
        f"Suite `{suite.name}` version {suite.version}: {run.pictures} pictures of dataset "
        f"`{suite.dataset.name}`, model `{suite.model}`, seed {suite.seed}{at}. "
        f"[low, high] is a 95 % bootstrap interval over pictures.{timed}"
    )


def models(manifest: Path) -> str:
    """What a manifest says of the shipped Segment Anything networks: a line each.

    Raises:
        FileNotFoundError: There is no manifest.
    """
    classes = ("S", "M", "L", "ML", "all")
    lines = [
        [*_about(name, entry), *(_score(entry, size) for size in classes)]
        for name, entry in _entries(manifest).items()
        if "architecture" in entry["recipe"]
    ]
    return Table(columns=_ABOUT + columns("S", "M", "L", "M+L", "all"), rows=lines).markdown()


def attackers(manifest: Path) -> str:
    """What a manifest says of the networks that attack and measure: a line each.

    Raises:
        FileNotFoundError: There is no manifest.
    """
    lines = [
        [*_about(name, entry), ", ".join(f"{score} {_score(entry, score)}" for score in entry["scores"])]
        for name, entry in _entries(manifest).items()
        if "architecture" not in entry["recipe"]
    ]
    return Table(columns=_ABOUT + columns("on validation scenes"), rows=lines).markdown()


def _entries(manifest: Path) -> dict[str, Any]:
    if not manifest.is_file():
        raise FileNotFoundError(f"there is no {manifest}; `pedbench train NAME` writes it")
    entries: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    return entries


def _about(name: str, entry: Any) -> list[str]:
    steps, scenes = entry["recipe"]["schedule"]["steps"], entry["data"]["count"]
    return [Code(name), f"{steps:,}", f"{scenes:,}", Code(entry["sha256"][:12])]


def _score(entry: Any, name: str) -> str:
    return f"{entry['scores'][name]:.3f}" if name in entry["scores"] else NOTHING
