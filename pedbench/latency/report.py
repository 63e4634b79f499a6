"""`latency.md` with its tables, figures and raw samples."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from pedbench.latency.assumptions import assumptions
from pedbench.latency.comparison import NETWORK, Timings
from pedbench.latency.figures import drawings
from pedbench.latency.projected_passes import WAY
from pedbench.latency.summary import summarise
from pedbench.latency.tables import (
    APART,
    SHARED_HOST,
    WAYS,
    counted,
    markdown_table,
    notes,
    terminal_table,
    time_tables,
)
from pedbench.report.figures.scatter import Drawing, save
from pedbench.report.words.text import escape

_WIDEST = 1000
"""Columns that no table reaches."""


def write_timings(
    timings: Timings, facts: Mapping[str, Any], folder: Path, *, finished: bool = True
) -> pd.DataFrame:
    """Write `latency.md`, `summary.csv`, `samples.csv`, `facts.json` and `figures/` into a folder.

    Args:
        facts: From `Session.facts`.
        folder: Made if there is none; what is in it is replaced.
        finished: False while rows are to come: figures are left for the end.

    Returns:
        The summary.
    """
    folder.mkdir(parents=True, exist_ok=True)
    timings.samples.to_csv(folder / "samples.csv", index=False, lineterminator="\n")
    summary = summarise(timings)
    summary.to_csv(folder / "summary.csv", index=False, lineterminator="\n")
    projection = {"projection": asdict(timings.projection)} if timings.projection else {}
    text = json.dumps({**facts, **projection}, indent=2, ensure_ascii=False)
    (folder / "facts.json").write_text(text + "\n", encoding="utf-8")
    titles = {way: title for way, title, _ in ways(summary, timings, facts)}
    whole = finished and "p50" in summary
    figures = list(drawings(summary, facts["measured_links"], titles)) if whole else []
    for figure in figures:
        save(figure, folder / "figures")
    paragraphs = list(_paragraphs(summary, timings, facts, figures))
    if not finished:
        paragraphs.insert(1, "**Not finished: rows are missing.**")
    report = "\n\n".join(paragraphs)
    (folder / "latency.md").write_text(report + "\n", encoding="utf-8")
    return summary


def _paragraphs(
    summary: pd.DataFrame, timings: Timings, facts: Mapping[str, Any], figures: Sequence[Drawing]
) -> Iterator[str]:
    yield f"# Latency of {escape(facts['model'])}"
    yield "\n".join(f"- {escape(line)}" for line in setting(facts))
    for note in notes(summary):
        yield escape(note)
    for way, title, meaning in ways(summary, timings, facts):
        yield f"## {title}"
        yield meaning
        if way == WAY and timings.projection:
            yield "\n".join(f"- {escape(line)}" for line in assumptions(timings.projection))
        for found in time_tables(summary, way, facts["measured_links"]):
            yield f"**{escape(found.title)}**"
            yield markdown_table(found)
        for figure in figures:
            if figure.name.startswith(way):
                yield f"![{escape(figure.title)}](figures/{figure.name}.png)"
                yield escape(figure.caption)
    if timings.problems:
        yield "## Not measured"
        yield "\n".join(f"- {escape(line)}" for line in failures(timings))
    yield "Raw samples: `samples.csv`; every number, over all links: `summary.csv`; machines: `facts.json`."


def show(summary: pd.DataFrame, timings: Timings, facts: Mapping[str, Any]) -> None:
    """Print the tables."""
    # Files and pipes have no width of their own.
    console = Console(markup=False, highlight=False)
    console.width = max(console.width if sys.stdout.isatty() else 0, 140)
    for line in setting(facts):
        console.print(line)
    for way, title, meaning in ways(summary, timings, facts):
        console.print(f"\n{title.upper()}. {meaning}")
        if way == WAY and timings.projection:
            for line in assumptions(timings.projection):
                console.print(f"- {line}")
        console.print()
        for found in time_tables(summary, way, facts["measured_links"]):
            shown = terminal_table(found)
            # Longer names make it wider, and rich would cut numbers off.
            wide = console.measure(shown, options=console.options.update(width=_WIDEST)).maximum
            Console(markup=False, highlight=False, width=max(console.width, wide)).print(shown)
    for line in [*notes(summary), *(f"failed: {line}" for line in failures(timings))]:
        console.print(line)


def ways(summary: pd.DataFrame, timings: Timings, facts: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The ways of measuring that a summary has, each with title and meaning."""
    present = set(summary["way"]) if "way" in summary else set()
    for way, (title, meaning) in WAYS.items():
        if way in present:
            where = (
                "" if way != "wall" else f" {APART if facts['measured_links'] == [NETWORK] else SHARED_HOST}"
            )
            yield way, _titled(title, timings), f"{meaning}{where}"


def _titled(title: str, timings: Timings) -> str:
    """With the devices' names, where it asks for them."""
    devices = timings.projection
    return title.format(edge=devices.edge.device, server=devices.server.device) if devices else title


def setting(facts: Mapping[str, Any]) -> Iterator[str]:
    """What was measured on what."""
    weights = (
        "random weights, which take as long as trained ones" if facts["random_weights"] else "its weights"
    )
    yield f"model {facts['model']} with {weights}, {facts['dtype']} on the edge; pictures of {facts['dataset']}"
    edge = f"edge: {facts['device_name']} ({facts['device']}), CPU cores: {facts['cores']}"
    jetson = ", ".join(f"{name} {value}" for name, value in facts["jetson"].items())
    yield f"{edge}; {jetson}" if jetson else edge
    for server in facts["servers"]:
        machine, offset = server["machine"], server["clock_offset"]
        yield (
            f"server {server['address']}: {machine['device_name']} ({machine['device']}), {server['dtype']}; its clock "
            f"is known to ± {offset['uncertainty'] * 1e3:.2f} ms, which uplink and downlink may be off by"
        )


def failures(timings: Timings) -> Iterator[str]:
    """A sentence for each row that could not be measured."""
    for found in timings.problems:
        yield f"{counted(found.defense, found.servers)}, {found.way} over {found.link}: {found.reason}"
