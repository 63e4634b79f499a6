"""Tables of times for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pedbench.latency.comparison import NETWORK
from pedbench.latency.summary import FEW, MANY
from pedbench.network.links import Link, links
from pedbench.report.words.text import NOTHING, PHASES, escape, one_line, quantity, table, three_figures

WAYS: Mapping[str, tuple[str, str]] = {
    "wall": ("Wall: measured", "What the clock said."),
    "turn-taking": (
        "Turn-taking: composed, not measured as a whole",
        "Servers took turns here, each with all cores to itself. What they took is put together as if each had a host "
        "like this one: they compute side by side, the last reply counts, and the link's times are computed, not "
        "waited for.",
    ),
    "projected": (
        "Projected to edge {edge} and servers {server}: calculated, not measured",
        "The turn-taking passes, stretched to named devices; links are those above. What is assumed:",
    ),
}
"""Ways to come by a time, with title and meaning. Times of two ways never stand in one table or figure."""

SHARED_HOST = (
    "All servers ran at once and shared this host's cores with the edge, so many servers look slow; waiting for a "
    "core shows in uplink, slowest server and downlink."
)
APART = "Every server ran on a machine of its own; the network between them is the real one."

_SECONDS_FROM = 10.0


@dataclass(frozen=True, kw_only=True)
class TimeTable:
    """One table, its cells as text.

    Attributes:
        title: Which link, and in what unit the times are.
        headers: Of the columns; all but the first are numbers.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def time_tables(summary: pd.DataFrame, way: str, shown: Sequence[str]) -> Iterator[TimeTable]:
    """The tables of one way of measuring, one for each link.

    Args:
        summary: From `timings.summarise`.
        shown: Names of the links.
    """
    rows = summary[summary["way"] == way]
    unit, factor = unit_of(rows)
    powered = "rail" in rows and bool(rows["rail"].notna().any())
    for link in shown:
        of_link = rows[rows["link"] == link]
        if of_link.empty:
            continue
        tail = "p99" if "p99" in of_link and of_link["p99"].notna().any() else "max"
        headers = ["defense", "servers", "p50", "p90", tail, "lower bound", "p50 / on_device", *PHASES]
        headers += ["up", "down", "n"]
        headers[headers.index("edge")] = "edge blocks"
        if powered:
            headers.insert(-1, f"J ({', '.join(of_link['rail'].dropna().unique())})")
        cells = [_cells(row, tail, factor, powered, len(headers)) for _, row in of_link.iterrows()]
        title = f"{described(link)}, {unit}"
        yield TimeTable(title=title, headers=tuple(headers), rows=tuple(cells))


def unit_of(rows: pd.DataFrame) -> tuple[str, float]:
    """The unit for the times of one way of measuring, and how many of it a second has."""
    longest = rows["max"].max() if "max" in rows else float("nan")
    return ("s", 1.0) if longest >= _SECONDS_FROM else ("ms", 1e3)


def counted(defense: str, servers: float) -> str:
    """A defense with the number of its servers, where that says something.

    Examples:
        >>> counted("ped_sam", 3), counted("full_offload", 1), counted("on_device", 0)
        ('ped_sam, 3 servers', 'full_offload, 1 server', 'on_device')
    """
    return f"{defense}, {servers:.0f} server{'' if servers == 1 else 's'}" if servers else defense


def described(link: str) -> str:
    """A link's name with its numbers."""
    if link == NETWORK:
        return "the network between the machines"
    found: Link = links()[link]
    if not found.emulated:
        return f"{link} (nothing emulated)"
    ways = [
        f"{name} {direction.rate:g} Mbit/s, {direction.delay:g} ± {direction.jitter:g} ms"
        for name, direction in (("up", found.up), ("down", found.down))
    ]
    return f"{link} ({'; '.join(ways)})"


def _cells(row: Any, tail: str, factor: float, powered: bool, count: int) -> tuple[str, ...]:
    if pd.isna(row["p50"]):
        return (row["defense"], f"{row['servers']:.0f}", "failed", *[NOTHING] * (count - 3))
    ratio = row["against_device"]
    return (
        row["defense"],
        f"{row['servers']:.0f}",
        _time(row, "p50", factor),
        _time(row, "p90", factor),
        three_figures(row[tail] * factor),
        three_figures(row["lower_bound"] * factor),
        NOTHING if pd.isna(ratio) else f"{ratio:.2f}",
        *(three_figures(row[phase] * factor) for phase in PHASES),
        quantity(row["bytes_up"], "B"),
        quantity(row["bytes_down"], "B"),
        *([NOTHING if pd.isna(row["energy"]) else f"{row['energy']:.2f}"] if powered else []),
        f"{row['n']:.0f}{'*' if row['n'] < FEW else ''}",
    )


def _time(row: Any, name: str, factor: float) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    text = three_figures(row[name] * factor)
    return text if pd.isna(low) else f"{text} [{three_figures(low * factor)}, {three_figures(high * factor)}]"


def notes(summary: pd.DataFrame) -> Iterator[str]:
    """What has to be known to read the tables."""
    tail = "p99" if "p99" in summary else f"the maximum (p99 takes {MANY} samples)"
    yield (
        "Times go from the picture to the mask of one click: p50 and p90 over pictures with 95 % bootstrap intervals, "
        f"{tail}, and the median that no order of the same messages could fall below if moving them cost nothing but "
        "the link's time (lower bound). Then medians by "
        "phase, which need not add up to the p50: making messages (prepare), the way to the server whose reply came "
        "last (uplink), its computing and waiting (slowest server), the way back (downlink), what the edge computes "
        "itself (edge blocks; on_device: the whole encoder), and the mask decoder. Up and down: bytes a picture, over "
        "all servers. n: pictures."
    )
    if "n" in summary and (summary["n"] < FEW).any():
        yield f"* fewer than {FEW} samples: too few to tell of tails."


def terminal_table(found: TimeTable) -> Table:
    """For a terminal; intervals stand below their numbers."""
    shown = Table(
        title=Text(one_line(found.title)),
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=0,
    )
    for index, header in enumerate(found.headers):
        name = "\n".join(header.rsplit(" ", 1))
        shown.add_column(Text(name), justify="right" if index else "left", no_wrap=True)
    for row in found.rows:
        shown.add_row(*(Text(one_line(cell).replace(" [", "\n[")) for cell in row))
    return shown


def markdown_table(found: TimeTable) -> str:
    """For a document."""
    return table(found.headers, [[escape(cell) for cell in row] for row in found.rows])
