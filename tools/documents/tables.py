"""Tables of the documents: a run's results, completions against the best floor, and the shipped networks."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from typing import Any

import pandas as pd

from pedbench.report.numbers.combined import rules_of
from pedbench.report.numbers.first_table import first_table as first_numbers
from pedbench.report.numbers.tidy import privacy
from pedbench.report.tables.first import first_tables
from pedbench.report.tables.frontier import EQUAL, EQUAL_NOTE
from pedbench.report.tables.table import Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.text import NOTHING
from pedbench.results.run import Run, load
from pedbench.validity.controls import broken_controls

_ABOUT = columns("network", "starts from", text=True) + columns(
    "steps", "examples", "seconds", "scenes", "sha256"
)


def models(manifest: Path) -> str:
    """Tabulate the shipped Segment Anything networks of a manifest.

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
    """Tabulate the networks of a manifest that attack and measure.

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
    recipe = entry["recipe"]
    start, steps, seconds = recipe.get("start"), recipe["schedule"]["steps"], entry.get("seconds")
    return [
        Code(name),
        Code(start) if start else NOTHING,
        f"{steps:,}",
        f"{steps * recipe['batch']:,}" if "batch" in recipe else NOTHING,
        f"{seconds:,}" if seconds else NOTHING,
        f"{entry['data']['count']:,}",
        Code(entry["sha256"][:12]),
    ]


def _score(entry: Any, name: str) -> str:
    return f"{entry['scores'][name]:.3f}" if name in entry["scores"] else NOTHING


_METRICS = {"PSNR": "{:.2f}", "LPIPS-scoring": "{:.3f}"}
"""Formats of the numbers of a metric."""


def against_floors(run_dir: Path) -> str:
    """Tabulate what attacks with a model make of the part that `ped_sam` hides from the worst server.

    The best floor is the one of the highest PSNR with the fewest servers.

    Raises:
        FileNotFoundError: The directory holds no run.
    """
    run = load(run_dir)
    labels = run.matching("ped_sam", {"weights": "fine-tuned"})
    servers = {label: run.defenses[label]["params"]["servers"] for label in labels}
    pairs = [
        (label, metric) for label in sorted(labels, key=lambda each: servers[each]) for metric in _METRICS
    ]
    frame = privacy(run)
    hidden = frame[(frame["region"] == "hidden") & (frame["c"] == "1") & frame["defense"].isin(labels)]
    numbers = hidden.set_index(["attack", "defense", "metric"])
    value, scenes = numbers["value"].to_dict(), hidden.groupby("attack")["n"].max()
    cells = {run.attack(record): record for record in run.of_kind("privacy") if "attack" in record.cell}
    ranked = sorted(scenes.index, key=lambda attack: value.get((attack, *pairs[0]), -inf), reverse=True)
    best = next(attack for attack in ranked if cells[attack].attacker["floor"])
    rows = []
    for attack in ranked:
        if attack == best or "model" in cells[attack].cell["attack"]["params"]:
            few = f", {scenes[attack]} scenes" if scenes[attack] < scenes.max() else ""
            name = (Code(attack), ", the best floor" if attack == best else few)
            shown = [value.get((attack, *pair)) for pair in pairs]
            written = [
                _METRICS[metric].format(each) if each is not None else NOTHING
                for (_, metric), each in zip(pairs, shown, strict=True)
            ]
            rows.append([name, *written])
    heads = [f"{metric}, {servers[label]} servers" for label, metric in pairs]
    return Table(columns=columns("guess", text=True) + columns(*heads), rows=rows).markdown()


_SENTENCES = {
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
        parts += [_SENTENCES[str(table.title)], table.markdown()]
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
