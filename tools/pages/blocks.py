"""Generated blocks of the documents: measured numbers between two markers."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from pedbench.report.numbers.combined import combined, rules_of
from pedbench.report.tables.overview import attack, attacked, number
from pedbench.report.tables.table import Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.legend import short_rule, utility_title
from pedbench.report.words.text import NOTHING
from pedbench.results.run import Run, load
from pedbench.validity.controls import broken_controls

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


def measured(
    document: str, block: str = ""
) -> Callable[[Callable[..., str | Mapping[str, str]]], Callable[[], None]]:
    """Make a command of a function that measures: it prints the result and writes it into a document.

    The function's parameters are the command's arguments and options, and its docstring is the help.

    Args:
        document: Path below `docs/`.
        block: The block that the function's text replaces. Without it the function returns texts by block.
    """

    def program(measure: Callable[..., str | Mapping[str, str]]) -> Callable[[], None]:
        def command(*, documents: Path, **options: Any) -> None:
            result = measure(**options)
            for name, text in ({block: result} if isinstance(result, str) else result).items():
                print(text)
                replace_block(documents / document, name, text)

        signature = inspect.signature(measure, eval_str=True)
        folder = inspect.Parameter("documents", inspect.Parameter.KEYWORD_ONLY, default=DOCS, annotation=Path)
        vars(command)["__signature__"] = signature.replace(
            parameters=[*signature.parameters.values(), folder], return_annotation=None
        )
        command.__doc__, command.__module__ = measure.__doc__, measure.__module__
        command.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
        command.__annotations__["documents"] = Path
        return lambda: typer.run(command)

    return program


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
    steps, scenes = entry["recipe"]["schedule"]["steps"], entry["data"]["count"]
    return [Code(name), f"{steps:,}", f"{scenes:,}", Code(entry["sha256"][:12])]


def _score(entry: Any, name: str) -> str:
    return f"{entry['scores'][name]:.3f}" if name in entry["scores"] else NOTHING
