"""Tables of times, and the assumptions behind those that were projected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pedbench.latency.devices import THIS_HOST, find_device, published_times
from pedbench.report.numbers.times import MANY, WAYS
from pedbench.report.tables.pivot import letters
from pedbench.report.tables.table import Cell, Column, Interval, Table
from pedbench.report.words.inline import Code, Strong
from pedbench.report.words.text import PHASES, escape, quantity, three_figures
from pedbench.results.run import Run

_SECONDS_FROM = 10.0
"""Maximum in seconds from which on times are shown in seconds, not in milliseconds."""

_COLUMNS = (
    "Times go from the picture to the mask of one click: p50 and p90 over pictures with 95 % bootstrap intervals, "
    f"p99 from {MANY} pictures on, else the maximum, and the median lower bound. Then medians by phase, which need not "
    "add up to the p50: making messages (prepare), the way to the server whose reply came last (uplink), its computing "
    "and waiting (slowest server), the way back (downlink), what the edge computes itself (edge blocks), and the mask "
    "decoder. Wall, turn-taking and projected times are not to be compared with each other. Every number is in "
    "`tables/times.csv`, those of the records in `tables/latency.csv`."
)


def time_tables(times: pd.DataFrame, flags: Mapping[str, str]) -> Iterator[Table]:
    """Yield a table for each way of measuring, link and dtype.

    Args:
        times: From `numbers.times`.
        flags: Flag -> letter.
    """
    for way in WAYS:
        rows = times[times["way"] == way]
        unit, factor = ("s", 1.0) if rows["max"].max() >= _SECONDS_FROM else ("ms", 1e3)
        for (link, dtype), shown in rows.groupby(["link", "dtype"], sort=False):
            yield _table(f"{way.capitalize()}, link {link}, {dtype}, {unit}", shown, factor, flags)


def _table(title: str, rows: pd.DataFrame, factor: float, flags: Mapping[str, str]) -> Table:
    tail = "p99" if rows["p99"].notna().any() else "max"
    phases = ["edge blocks" if phase == "edge" else phase for phase in PHASES]
    columns = [
        Column(title="defense", text=True),
        *(Column(title=name, write=three_figures) for name in ("p50", "p90", tail, "lower bound")),
        Column(title="p50 / on device", write=lambda ratio: f"{ratio:.2f}"),
        *(Column(title=phase, write=three_figures) for phase in phases),
        Column(title="up", unit="B"),
        Column(title="down", unit="B"),
        Column(title="J", write=lambda joules: f"{joules:.2f}", optional=True),
        Column(title="n"),
        Column(title="flags", optional=True),
    ]
    powered = rows["energy"].notna().any()
    lines: list[list[Cell]] = []
    for row in rows.to_dict("records"):
        numbers = _numbers(row, tail, factor)
        if row["status"] != "ok":
            numbers = [Strong(row["status"]), *[None] * (len(numbers) - 1)]
        energy = row["energy"] if powered else ""
        count = "" if pd.isna(row["n"]) else int(row["n"])
        lines.append([Code(row["defense"]), *numbers, energy, count, letters(row["flags"], flags)])
    return Table(title=title, columns=columns, rows=lines)


def _numbers(row: Mapping[Any, Any], tail: str, factor: float) -> list[Cell]:
    p50, p90 = (
        Interval(*(row[f"{name}{end}"] * factor for end in ("", "_low", "_high"))) for name in ("p50", "p90")
    )
    return [
        *(p50, p90, row[tail] * factor, row["lower bound"] * factor),
        row["against_device"],
        *(row[phase] * factor for phase in PHASES),
        *(row["bytes up"], row["bytes down"]),
    ]


def latency_note(run: Run, latency: pd.DataFrame) -> str:
    """Write what the reader of the tables has to know: columns, other machines, and assumptions of projected times.

    Args:
        latency: From `numbers.tidy`.

    Returns:
        Markdown, one paragraph.
    """
    return " ".join(
        [_COLUMNS, *(escape(sentence) for sentence in (*_machines(run), *_assumptions(run, latency)))]
    )


def _machines(run: Run) -> Iterator[str]:
    """Yield a sentence for each server on another machine; the newest record counts."""
    known = {
        server["address"]: server
        for record in run.of_kind("latency")
        for server in record.provenance.get("servers", ())
    }
    for address, server in known.items():
        machine, offset = server["machine"], server["clock_offset"]
        yield (
            f"Server {address}: {machine['device_name']} ({machine['device']}), {server['dtype']}; its clock is known "
            f"to ± {offset['uncertainty'] * 1e3:.2f} ms, the possible error of uplink and downlink."
        )


def _assumptions(run: Run, latency: pd.DataFrame) -> Iterator[str]:
    encoder = latency[latency["metric"] == "encoder p50"].groupby("region")["value"].median()
    devices = run.suite.latency.devices
    if devices is None or encoder.empty:
        return
    host = encoder["this host"]
    yield (
        f"Projected times are calculated, not measured: turn-taking passes, stretched. This host's encoder took "
        f"{quantity(host, 's')} (median), timed next to each pass; moving messages takes as long as here."
    )
    for role, name in (("edge", devices.edge), ("server", devices.server)):
        if name == THIS_HOST:
            yield f"Projected {role}: this host, times as measured."
            continue
        published, seconds = published_times(name), encoder[f"{role} device"]
        times = " and ".join(f"{network} {time:,g} ms" for network, time in published.items())
        yield (
            f"Projected {role}: {name} ({find_device(name).about}). Its encoder takes {quantity(seconds, 's')}, "
            f"calculated by multiply-adds from {'the difference of ' if len(published) > 1 else ''}published {times}; "
            f"that is {seconds / host:.3g} times as long as here, and so is all else that it does."
        )
        if run.suite.model not in published:
            yield (
                f"EXTRAPOLATED: no time of {run.suite.model} on {name} was published. Small networks leave a device "
                "idle, so that it may well take longer."
            )
