"""Compare projected with measured times on this host, with the mini models: `python -m tools.studies.projection_check`.

Prints the table and writes it into docs/measured/projection.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import torch

from pedbench.host.provenance import cores
from pedbench.latency.devices import Device
from pedbench.measure.seeds import generator
from pedbench.models.sam.architectures import PED_MINI
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.network.links import LOOPBACK, Link, find_link
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_frame, to_uint8
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.registry import Registry
from pedbench.report.words.text import code, quantity, table
from pedbench.types import Picture, Window
from tools.documents.measured_blocks import measured
from tools.studies.composition import Job, compose
from tools.studies.messages import window_message
from tools.studies.stage_times import measure_host

SERVERS = (1, 3, 9)
CALIBRATED = (1, 9)
"""Numbers of servers whose passes over loopback calibrate the time of this host's own messages."""

FORMS = (("pixels", "float32"), ("png", "float16"), ("jpeg(quality=90)", "quantised(bits=6)"))
LINKS = (LOOPBACK, "wifi-5", "lte")
DRAWS = 21
NEAR = 0.15


@dataclass(frozen=True, kw_only=True)
class Host:
    """Speed and message times of this host, measured apart from the projected passes.

    Attributes:
        edge: Device of the edge's process.
        turn: Device of a server that has the host for itself.
        shared: Device of a server that has one core.
        up: Seconds of a message besides its link, and seconds of each of its bytes.
        down: The same for a reply.
        prepare: Seconds of the edge before it writes messages.
        edge_rest: Seconds of the edge after the last reply that are neither reading nor the global stage.
    """

    edge: Device
    turn: Device
    shared: Device
    up: tuple[float, float] = (0.0, 0.0)
    down: tuple[float, float] = (0.0, 0.0)
    prepare: float = 0.0
    edge_rest: float = 0.0


def parts(frame: Picture, servers: int) -> list[tuple[Window, ...]]:
    """List the windows of each server."""
    windows = PED_MINI.grid.active((frame.shape[0], frame.shape[1]))
    return list(assign("dispersed", windows, servers, np.random.default_rng(0)).values())


def projected(
    host: Host, frame: Picture, servers: int, form: tuple[str, str], link: Link, *, wall: bool
) -> float:
    """Project the seconds of a pass, the median over the link's jitter.

    Args:
        wall: All servers share this host, each on its threads; otherwise each has it for itself.
    """
    pixels, device = to_uint8(frame), host.shared if wall and servers > 1 else host.turn
    prepare, edge, jobs = host.prepare, host.edge_rest + host.edge.global_stage(PED_MINI), []
    for number, windows in enumerate(parts(frame, servers)):
        message = window_message(PED_MINI, pixels, windows, *form, number)
        prepare += message.edge_writes
        edge += message.edge_reads
        seconds = device.window_stage(PED_MINI, windows)
        jobs.append(
            Job(
                bytes_up=message.bytes_up,
                bytes_down=message.bytes_down,
                compute=message.server_reads + seconds + message.server_writes,
                up=host.up[0] + host.up[1] * message.bytes_up,
                down=host.down[0] + host.down[1] * message.bytes_down,
            )
        )
    shared = cores() if wall and servers > 1 else None
    return median(
        compose(jobs, link, prepare=prepare, edge=edge, seed=seed, cores=shared).total
        for seed in range(DRAWS)
    )


def passes(
    frames: Sequence[Picture],
    count: int,
    form: tuple[str, str],
    servers: VirtualServers,
    networks: FamilyNetworks,
    link: Link,
) -> list[Pass]:
    """Run a pass over each frame, after a warm-up pass."""
    defense = PedSam(servers=count, payload=form[0], reply=form[1])
    return [
        run_pass(
            defense,
            frame,
            servers,
            networks,
            generator(0, "check", str(index), defense.label),
            PassSettings(link=link, seed=index),
        )
        for index, frame in enumerate([frames[0], *frames])
    ][1:]


def calibrate(frames: Sequence[Picture], servers: VirtualServers, networks: FamilyNetworks) -> Host:
    """Measure this host: stages in this process, and messages of passes over loopback."""
    host = Host(
        edge=measure_host(PED_MINI, networks, threads=torch.get_num_threads()),
        turn=measure_host(PED_MINI, networks, threads=cores()),
        shared=measure_host(PED_MINI, networks, threads=1),
    )
    ups, downs, prepares, edges = [], [], [], []
    for count in CALIBRATED:
        messages = [
            window_message(PED_MINI, to_uint8(frames[0]), windows, *FORMS[0], number)
            for number, windows in enumerate(parts(frames[0], count))
        ]
        for done in passes(frames, count, FORMS[0], servers, networks, find_link(LOOPBACK)):
            times = done.times()
            prepares.append(times.prepare - sum(message.edge_writes for message in messages))
            edges.append(times.edge - sum(message.edge_reads for message in messages))
            ups += [(each.bytes_up, each.received - each.sent) for each in done.exchanges]
            downs += [
                (each.bytes_down, each.replied - each.finished - message.server_writes)
                for each, message in zip(done.exchanges, messages, strict=True)
            ]
    return replace(
        host,
        up=_line(ups),
        down=_line(downs),
        prepare=max(0.0, median(prepares)),
        edge_rest=max(0.0, median(edges) - host.edge.global_stage(PED_MINI)),
    )


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Fit a line through the medians of the points of few and of many bytes; return start and slope."""
    middle = median(x for x, _ in points)
    few, many = ([p for p in points if (p[0] > middle) is above] for above in (False, True))
    (x0, y0), (x1, y1) = ((median(x for x, _ in part), median(y for _, y in part)) for part in (few, many))
    slope = max(0.0, (y1 - y0) / (x1 - x0))
    return max(0.0, y0 - slope * x0), slope


def compare(
    frames: Sequence[Picture], servers: VirtualServers, networks: FamilyNetworks
) -> Iterator[tuple[int, tuple[str, str], str, list[float]]]:
    """Yield servers, form, link, and four times: turn-taking and wall, each measured and projected."""
    servers.set_mode(turns=True, threads=cores())
    host = calibrate(frames, servers, networks)
    print(host, flush=True)
    for count in SERVERS:
        for form in FORMS:
            servers.set_mode(turns=True, threads=cores())
            apart = passes(frames, count, form, servers, networks, find_link(LOOPBACK))
            servers.set_mode(turns=False, threads=max(1, cores() // count))
            for name in LINKS:
                link = find_link(name)
                together = passes(frames, count, form, servers, networks, link)
                yield (
                    count,
                    form,
                    name,
                    [
                        median(done.times(link, seed).total for seed, done in enumerate(apart)),
                        median(projected(host, frame, count, form, link, wall=False) for frame in frames),
                        median(done.times().total for done in together),
                        median(projected(host, frame, count, form, link, wall=True) for frame in frames),
                    ],
                )


def accuracy(found: Sequence[tuple[float, float]]) -> str:
    """Describe the errors of projected times against measured ones."""
    off = sorted(abs(projected / measured - 1) for measured, projected in found)
    near = sum(each <= NEAR for each in off)
    return f"{near} of {len(off)} within {NEAR:.0%}, off by {median(off):.0%} at the median and {off[-1]:.0%} at most"


@measured("measured/projection.md", "projection check")
def main(pictures: int = 6) -> str:
    """Project and measure passes over some validation scenes."""
    networks = FamilyNetworks(family=MINI)
    dataset = Registry().create("datasets", "scenes", {"split": "val"})
    frames = [to_frame(dataset[index].image, PED_MINI.image_size) for index in range(pictures)]
    lines, apart, together = [], [], []
    with VirtualServers(max(SERVERS), networks) as servers:
        servers.load("fine-tuned")
        for count, form, link, times in compare(frames, servers, networks):
            pairs = (times[0], times[1]), (times[2], times[3])
            apart.append(pairs[0])
            together.append(pairs[1])
            cells = [
                text
                for measured, guess in pairs
                for text in (quantity(measured, "s"), quantity(guess, "s"), f"{guess / measured - 1:+.0%}")
            ]
            lines.append([str(count), code(form[0]), code(form[1]), code(link), *cells])
            print(*lines[-1], flush=True)
    headers = [
        "servers",
        "payload",
        "reply",
        "link",
        *("turn-taking", "projected", "off"),
        *("wall", "projected", "off"),
    ]
    return (
        f"`ped_sam` on {pictures} validation scenes, mini models, medians; cores of the host: {cores()}. "
        f"Turn-taking: {accuracy(apart)}. Wall: {accuracy(together)}.\n\n{table(headers, lines, left=4)}"
    )


if __name__ == "__main__":
    main()
