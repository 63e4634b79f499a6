"""Load of many concurrent pictures on many servers: `python -m tools.chaos.load`.

Virtual servers compute the windows of many pictures at once, as if many edges shared them. Every embedding is compared
with the one computed on the edge alone. Writes the result into docs/measured/reliability.md.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.network.emulated_link import Transport
from pedbench.network.links import find_link
from pedbench.offload.passes.assignment import assign, largest_share
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.cloud import Cloud
from pedbench.offload.passes.disclosure_ledger import Ledger
from pedbench.offload.passes.edge import Edge
from pedbench.offload.passes.timing import Clock
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import from_uint8
from tools.chaos.kills import descendants
from tools.documents.measured_blocks import measured

_ARENA_MAX = -8
"""Constant `M_ARENA_MAX` of malloc.h."""

W = "reordered"
SIZE = (320, 320)
PICTURES = 16
EVERY = 2.0
"""Seconds between readings of the memory, when wiretaps are dropped too."""

DEADLINE = 300.0
"""Seconds for a reply: long enough that none of the concurrent pictures is given up."""

WARM_UP = 30.0
"""Seconds after which memory is compared."""


@dataclass(kw_only=True)
class Load:
    """Measurements so far.

    Attributes:
        seconds: Time of each picture.
        wrong: Descriptions of errors.
        memory: Seconds since the start, and bytes of the edge and of all servers.
    """

    seconds: list[float] = field(default_factory=list)
    started: int = 0
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, int, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@measured("measured/reliability.md", "load")
def main(pictures: int = 64, servers: int = 25, seconds: float = 300.0) -> str:
    """Keep servers busy with many pictures at a time.

    Args:
        pictures: Number of concurrent pictures.
    """
    torch.set_num_threads(1)
    # Otherwise each of the many threads keeps freed memory of its own, which would hide a leak.
    ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)
    load = put_on(pictures, servers, seconds)
    text = described(load, pictures, servers, seconds)
    if load.wrong or len(load.seconds) != load.started:
        count = f"{len(load.seconds)} of {load.started} pictures came back"
        sys.exit("\n".join([text, count, *load.wrong[:5]]))
    return text


def put_on(pictures: int, servers: int, seconds: float) -> Load:
    """Keep `pictures` pictures in progress at a time, for some seconds."""
    networks = FamilyNetworks(family=MINI)
    rng = np.random.default_rng(0)
    frames = [from_uint8(rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)) for _ in range(PICTURES)]
    with torch.inference_mode():
        expected = [make_edge(networks).encode_image(frame, W).features for frame in frames]
    load = Load()
    with VirtualServers(servers, networks) as processes:
        processes.load(W)
        until = time.monotonic() + seconds
        workers = [
            threading.Thread(target=work, args=(load, processes, networks, frames, expected, number, until))
            for number in range(pictures)
        ]
        for worker in workers:
            worker.start()
        began = time.monotonic()
        while any(worker.is_alive() for worker in workers):
            processes.forget()
            edge, others = resident(os.getpid()), sum(map(resident, processes.pids()))
            load.memory.append((time.monotonic() - began, edge, others))
            time.sleep(EVERY)
    if orphans := descendants(os.getpid()) & set(processes.pids()):
        load.wrong.append(f"{len(orphans)} servers live on")
    return load


def work(
    load: Load,
    servers: VirtualServers,
    networks: FamilyNetworks,
    frames: list[Any],
    expected: list[Any],
    number: int,
    until: float,
) -> None:
    """Embed one picture after the other until the time is over."""
    turn = number
    while time.monotonic() < until:
        place, turn = turn % len(frames), turn + 1
        with load.lock:
            load.started += 1
        began = time.monotonic()
        try:
            features = embedded(servers, networks, frames[place])
        # Every error loses the picture.
        except Exception as error:
            with load.lock:
                load.wrong.append(f"{type(error).__name__}: {error}")
            continue
        with load.lock:
            load.seconds.append(time.monotonic() - began)
            if not torch.allclose(features, expected[place], atol=1e-4):
                load.wrong.append(f"picture {place} has another embedding")


def embedded(servers: VirtualServers, networks: FamilyNetworks, frame: Any) -> Any:
    """Embed a picture with windows computed by the servers."""
    grid = window_grid(networks.network(W).image_encoder)
    rng = np.random.default_rng(0)
    assignment = assign("dispersed", grid.active(SIZE), len(servers), rng)
    clock = Clock()
    with Transport(find_link("loopback"), 0) as transport:
        cloud = Cloud(
            servers,
            count=len(servers),
            networks=networks,
            ledger=Ledger(
                frame=SIZE,
                networks=networks,
                operations=servers.operations,
                max_share=largest_share("dispersed", len(servers), SIZE, grid),
            ),
            clock=clock,
            transport=transport,
            settings=PassSettings(deadline=DEADLINE),
        )
        with clock, torch.inference_mode():
            tokens = cloud.encode_windows(frame, assignment, weights=W)
            return make_edge(networks).finish(tokens, W).features


def make_edge(networks: FamilyNetworks) -> Edge:
    """Return an edge in this process."""
    return Edge(networks=networks, rng=np.random.default_rng(0), request=0, clock=Clock())


def resident(pid: int) -> int:
    """Return a process's own resident bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def growth(load: Load) -> tuple[float, float]:
    """Return the growth of the memory of edge and servers from the first to the last third, warm-up aside, in MB."""
    looks = np.array([look for look in load.memory if look[0] > WARM_UP] or load.memory)
    third = max(1, len(looks) // 3)
    return tuple(
        float(np.median(looks[-third:, part]) - np.median(looks[:third, part])) / 1e6 for part in (1, 2)
    )  # type: ignore[return-value]


def described(load: Load, pictures: int, servers: int, seconds: float) -> str:
    """Describe the measurements in a paragraph."""
    p50, p99 = np.percentile(load.seconds, [50, 99]) if load.seconds else (0.0, 0.0)
    edge, others = growth(load)
    last, back = load.memory[-1], len(load.seconds)
    return (
        f"{pictures} pictures at a time over {servers} virtual servers for {seconds:.0f} s on "
        f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores: {load.started} pictures, "
        f"of which {load.started - back} were lost and "
        f"{len(load.wrong)} went wrong; {back / seconds:.1f} a second, p50 {p50:.2f} s, p99 {p99:.2f} s. Memory of "
        f"the edge {last[1] / 1e6:.0f} MB and of all servers {last[2] / 1e6:.0f} MB; from the first to the last third, "
        f"without the first {WARM_UP:.0f} s, it grew by {edge:.0f} and {others:.0f} MB (`python -m tools.chaos.load`)."
    )


if __name__ == "__main__":
    main()
