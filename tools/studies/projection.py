"""Project SAM ViT-H to named devices and links: `python -m tools.studies.projection`.

Writes the paper's row and the sweep over servers and links into docs/measured/projection.md and docs/pictures.
Nothing is measured: the numbers are the same on every host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.optimize import brentq

from pedbench.latency.devices import Device, device_names, find_device, most_slower, published_times
from pedbench.models.sam.architectures import VIT_H
from pedbench.network.links import Direction, Link, find_link
from pedbench.offload.passes.assignment import assign, largest_share
from pedbench.report.figures.drawing import Drawing, looks_of, save, styled_panels
from pedbench.report.words.text import code, quantity, table
from pedbench.types import Window
from tools.documents.measured_blocks import DOCS, measured
from tools.studies.composition import Job, compose
from tools.studies.messages import Message, frame_message, window_message

EDGE, SERVER = "jetson-orin-nano", "rtx-3090"
LINKS = ("gigabit", "wifi-6", "wifi-5", "5g", "lte")
REPLIES = ("float32", "float16")
REPORTED = 9.624
"""Seconds of PED-SAM with three servers, arXiv 2512.09309."""

DELAY = 2.0
"""Delay in milliseconds, each way, of a link whose rate is solved for."""


def slowest() -> float:
    """Return the largest ratio of global to window blocks that the server's published times allow."""
    return most_slower(published_times(SERVER))


DRAWS = 21
"""Seeds of a link's jitter; the median pass counts."""

ASSIGNMENT = "dispersed"
FRAME = np.zeros((VIT_H.image_size, VIT_H.image_size, 3), np.uint8)
"""A frame that fills all 25 windows."""

Parts = Sequence[tuple[Message, Sequence[Window]]]
"""The message to each server and its windows; a server without any encodes the whole frame."""

KEPT: Parts = ()
"""No messages: the edge encodes the frame."""


@cache
def split(servers: int, reply: str) -> Parts:
    """Return what `ped_sam` sends for `FRAME`, as pixels."""
    assignment = assign(ASSIGNMENT, VIT_H.grid.windows, servers, np.random.default_rng(0)).values()
    return [
        (window_message(VIT_H, FRAME, windows, "pixels", reply, number), windows)
        for number, windows in enumerate(assignment)
    ]


@cache
def whole(reply: str) -> Parts:
    """Return what `full_offload` sends for `FRAME`, as pixels."""
    return [(frame_message(VIT_H, FRAME, "pixels", reply), ())]


def seconds(parts: Parts, link: Link, *, slower: float = 1.0, server: Device | None = None) -> float:
    """Project a pass, without the time to write and read messages.

    Args:
        slower: Ratio of the edge's time of a multiply-add in a global block to that in a window block.
        server: Device of each server; `SERVER` by default.
    """
    edge, each = find_device(EDGE, slower), server or find_device(SERVER)
    jobs = [
        Job(
            bytes_up=message.bytes_up,
            bytes_down=message.bytes_down,
            compute=each.window_stage(VIT_H, windows) if windows else each.encoder(VIT_H),
        )
        for message, windows in parts
    ]
    own = edge.encoder(VIT_H)
    if parts:
        own = edge.global_stage(VIT_H) if all(windows for _, windows in parts) else 0.0
    return median(compose(jobs, link, edge=own, seed=seed).total for seed in range(DRAWS))


def devices() -> str:
    """Return the table of devices: the times that each is calibrated on, and the resulting speed."""
    lines = []
    for name in device_names():
        device, times = find_device(name), published_times(name)
        allowed = f"{most_slower(times):.1f}" if len(times) == 2 else "any"
        lines.append(
            [
                code(name),
                device.about,
                ", ".join(f"{network} {time:,g} ms" for network, time in times.items()),
                f"{device.window_rate / 1e9:,.0f}",
                allowed,
            ]
        )
    headers = ["device", "", "published", "GMAC/s", "global blocks slower by at most"]
    return table(headers, lines, left=3)


def paper() -> str:
    """Return the projected times of three servers, and the values of unknowns at which they equal the paper's."""
    slower = slowest()
    lines = [
        [
            code(name),
            *(quantity(seconds(split(3, reply), find_link(name)), "s") for reply in REPLIES),
            *(quantity(seconds(split(3, reply), find_link(name), slower=slower), "s") for reply in REPLIES),
        ]
        for name in LINKS
    ]
    alike, apart = "global blocks alike", f"global blocks {slower:.1f} times as slow"
    headers = ["link", *(f"{reply}, {ratio}" for ratio in (alike, apart) for reply in REPLIES)]
    sought = [
        [first[0], first[1], second[1]] for first, second in zip(*map(solved_unknowns, REPLIES), strict=True)
    ]
    return (
        f"{table(headers, lines)}\n\nValues at which three servers take 9,624 ms, all else as "
        f"above:\n\n{table(['one unknown', *(f'reply in `{reply}`' for reply in REPLIES)], sought)}"
    )


def symmetric_link(rate: float) -> Link:
    """Return a link of a rate in Mbit/s each way."""
    way = Direction(rate=rate, delay=DELAY)
    return Link(name="sought", up=way, down=way)


def solved_unknowns(reply: str) -> list[list[str]]:
    """Solve for each unknown at which three servers take `REPORTED`; return rows of name and value."""
    sent, gigabit = split(3, reply), find_link("gigabit")

    def rate(slower: float) -> str:
        found = _solve(lambda rate: seconds(sent, symmetric_link(rate), slower=slower), 1, 1000)
        return f"{found:.0f} Mbit/s"

    slower = _solve(lambda ratio: seconds(sent, gigabit, slower=ratio), 1, 20)
    edge = find_device(EDGE, slower).global_stage(VIT_H)
    device = find_device(SERVER)
    server = _solve(
        lambda speed: seconds(sent, gigabit, server=replace(device, window_rate=speed * 1e9)), 10, 1000
    )
    return [
        ["link, each way", rate(1.0)],
        [f"link, each way, with global blocks {slowest():.1f} times as slow", rate(slowest())],
        ["global blocks on the edge, over `gigabit`", f"{slower:.1f} times as slow, {quantity(edge, 's')}"],
        ["servers, over `gigabit`", f"{server:.0f} GMAC/s each"],
    ]


def _solve(takes: Callable[[float], float], low: float, high: float) -> float:
    found: float = brentq(lambda value: takes(value) - REPORTED, low, high)
    return found


def sweep() -> Drawing:
    """Projected time against the number of servers, and what the worst of them sees."""
    counts, slower = range(1, 26), slowest()
    panels = {"global blocks as fast as the others": 1.0, f"global blocks {slower:.1f} times as slow": slower}
    with styled_panels(3, 3, 3.8, 3.9) as (figure, (first, second, share)):
        for axes, (title, ratio) in zip((first, second), panels.items(), strict=True):
            _times(axes, counts, ratio)
            axes.set_title(f"projected, {title}", fontsize=8.5)
        second.sharey(first)
        first.set_ylabel("seconds a frame (↓ better)")
        _legend(figure, first)
        share.plot(
            counts,
            [100 * largest_share(ASSIGNMENT, count, FRAME.shape[:2], VIT_H.grid) for count in counts],
            color="black",
            marker="o",
            markersize=4,
        )
        share.set_title("geometry, no projection", fontsize=8.5)
        share.set_ylabel("worst server sees, % of the frame (↓ better)")
        share.set_ylim(0, 104)
        for axes in (first, second, share):
            axes.set_xlabel("servers")
            axes.set_xticks([1, 5, 9, 13, 17, 21, 25])
    caption = (
        f"SAM ViT-H, edge {EDGE}, servers {SERVER}, pixels up, {REPLIES[-1]} down, all 25 windows. Times are projected "
        "from published ones, none is measured. full_offload shows its server everything, on_device nobody anything."
    )
    return Drawing(name="projection", title="Projected latency", caption=caption, figure=figure)


def _legend(figure: Figure, axes: Axes) -> None:
    """Below all panels: links by colour, ways by line."""
    ways = [
        Line2D([], [], color="black", linewidth=1, linestyle="-", label="ped_sam"),
        Line2D([], [], color="black", linewidth=1, linestyle=":", label="full_offload"),
        Line2D([], [], color="black", linewidth=1, linestyle="--", label="on_device"),
    ]
    handles = [*axes.get_legend_handles_labels()[0], *ways]
    figure.legend(handles=handles, ncols=len(handles), fontsize=7.5, loc="outside lower center")


def _times(axes: Axes, counts: Sequence[int], slower: float) -> None:
    for (colour, marker), name in zip(looks_of(len(LINKS)), LINKS, strict=True):
        link = find_link(name)
        times = [seconds(split(count, REPLIES[-1]), link, slower=slower) for count in counts]
        axes.plot(counts, times, color=colour, marker=marker, markersize=4, linewidth=1, label=name)
        axes.axhline(
            seconds(whole(REPLIES[-1]), link, slower=slower), color=colour, linestyle=":", linewidth=1
        )
    axes.axhline(seconds(KEPT, find_link(LINKS[0])), color="black", linestyle="--", linewidth=1)
    axes.set_yscale("log")
    axes.set_ylim(0.4, 25)
    axes.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])


@measured("measured/projection.md")
def main() -> dict[str, str]:
    """Project the paper's row and the sweep."""
    save(sweep(), DOCS / "pictures")
    return {"devices": devices(), "paper": paper()}


if __name__ == "__main__":
    main()
