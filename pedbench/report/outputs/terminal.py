"""The overview for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markdown import Markdown as RichMarkdown
from rich.table import Table
from rich.text import Text

from pedbench.report.numbers.combined import combined
from pedbench.report.words.headline import headline_sentence
from pedbench.report.words.overview import attacked, cells, headline, number, rules_of, short_rule, ties
from pedbench.report.words.text import NOTHING, one_line
from pedbench.results.run import Run, load
from pedbench.validity.controls import controls

_WIDE = 200
"""Columns where nobody says how many there are: in a file or a pipe."""


def print_overview(run_dir: Path) -> None:
    """Print the headline and the combined table.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: A file of the run cannot be understood.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    run = load(run_dir)
    frame = combined(run)
    console.print(console_table(run, frame))
    console.print(RichMarkdown(headline_sentence(run, frame, controls(run_dir))))


def console_table(run: Run, frame: pd.DataFrame) -> Table:
    """Fewer columns than in the report, with intervals and attacks below the numbers.

    Args:
        frame: What `combined` makes of the run.
    """
    title = f"{run.suite.name}: {run.suite.dataset.name}, {run.pictures} pictures, model {run.suite.model}"
    table = Table(
        title=Text(one_line(title)),
        caption=Text("95 % bootstrap intervals over pictures; arrows: better for the defender"),
        box=SIMPLE_HEAD,
    )
    if frame.empty:
        return table
    rules, leakage = rules_of(frame), frame.iloc[0]["leakage_metric"] or "leakage"
    table.add_column("defense", overflow="fold", min_width=16)
    for header in (
        f"{headline(frame)} ↑".replace(", ", ",\n"),
        "retention ↑",
        f"visible ↓\n{' / '.join(short_rule(rule) for rule in rules)}",
        *(f"{leakage}\n{short_rule(rule)} ↓" for rule in rules),
        "wall p50 ↓",
        "bytes\nup, down ↓",
        "cells",
    ):
        table.add_column(Text(header), justify="right", no_wrap=True)
    for _, row in frame.iterrows():
        utility = [number(row, "utility", row["utility_status"]), number(row, "retention")]
        visible = _together(row, [f"visible_share_{rule}" for rule in rules], " / ")
        leaked = [
            f"{attacked(row, 'leakage', rule)}\n{row[f'leakage_{rule}_attack']}{ties(row, 'leakage', rule)}"
            for rule in rules
        ]
        table.add_row(
            Text(one_line(row["defense"])),
            *(Text(text.replace(" [", "\n[").rstrip()) for text in [*utility, visible, *leaked]),
            Text(number(row, "wall_p50", row["latency_status"], interval=False)),
            Text(_together(row, ["bytes_up", "bytes_down"], "\n")),
            Text(cells(row).replace(", ", "\n")),
        )
    return table


def _together(row: Any, names: Sequence[str], between: str) -> str:
    texts = [number(row, name, interval=False) for name in names]
    return NOTHING if set(texts) == {NOTHING} else between.join(texts)
