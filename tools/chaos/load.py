"""Many pictures at a time over many servers: `python -m tools.chaos.load`.

Virtual servers compute the windows of so many pictures at once, as edges would have it that share them; every embedding
is compared with the one computed here alone. Writes the outcome into docs/measured/reliability.md.
"""

from __future__ import annotations

import argparse
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
from pedbench.offload.operations.tiles import to_picture
from pedbench.offload.passes.assignment import assign, largest_share
from pedbench.offload.passes.cloud import Cloud
from pedbench.offload.passes.disclosure_ledger import Ledger
from pedbench.offload.passes.edge import Edge
from pedbench.offload.passes.timing import Clock
from pedbench.offload.servers.virtual import VirtualServers
from tools.chaos.kills import descendants
from tools.pages.blocks import DOCS, replace_block

_ARENA_MAX = -8
"""Of malloc.h."""

W = "reordered"
SIZE = (320, 320)
PICTURES = 16
EVERY = 2.0
"""Seconds between looks at the memory; wiretaps are dropped then, too."""

DEADLINE = 300.0
"""Seconds for a reply: as many pictures are under way as take long, and none is to be given up."""

WARM_UP = 30.0
"""Seconds after which memory is compared."""


@dataclass(kw_only=True)
class Load:
    """What happened so far.

    Attributes:
        seconds: How long each picture took.
        wrong: What went wrong, in words.
        memory: Seconds since the start, and bytes of the edge and of all servers.
    """

    seconds: list[float] = field(default_factory=list)
    started: int = 0
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, int, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> None:
    """Read the command line, put on load and write."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.chaos.load", description="Many pictures at a time."
    )
    parser.add_argument("--pictures", type=int, default=64, help="at a time; 64 without it")
    parser.add_argument("--servers", type=int, default=25, help="25 without it")
    parser.add_argument("--seconds", type=float, default=300.0, help="for so long; 300 without it")
    given = parser.parse_args()
    torch.set_num_threads(1)
    # Else each of the many threads here keeps memory of its own that it has freed, and hides whether any is lost.
    ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)
    load = put_on(given.pictures, given.servers, given.seconds)
    said = described(load, given.pictures, given.servers, given.seconds)
    print(said)
    if load.wrong or len(load.seconds) != load.started:
        sys.exit("\n".join([f"{len(load.seconds)} of {load.started} pictures came back", *load.wrong[:5]]))
    replace_block(DOCS / "measured" / "reliability.md", "load", said)


def put_on(pictures: int, servers: int, seconds: float) -> Load:
    """Have so many pictures under way at a time, for so long."""
    networks = FamilyNetworks(family=MINI)
    rng = np.random.default_rng(0)
    frames = [to_picture(rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)) for _ in range(PICTURES)]
    with torch.inference_mode():
        expected = [here(networks).encode_image(frame, W).features for frame in frames]
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
    """One picture after the other, until the time is over."""
    turn = number
    while time.monotonic() < until:
        place, turn = turn % len(frames), turn + 1
        with load.lock:
            load.started += 1
        began = time.monotonic()
        try:
            features = embedded(servers, networks, frames[place])
        # Whatever it is, it is a loss.
        except Exception as error:
            with load.lock:
                load.wrong.append(f"{type(error).__name__}: {error}")
            continue
        with load.lock:
            load.seconds.append(time.monotonic() - began)
            if not torch.allclose(features, expected[place], atol=1e-4):
                load.wrong.append(f"picture {place} has another embedding")


def embedded(servers: VirtualServers, networks: FamilyNetworks, frame: Any) -> Any:
    """A picture's embedding, its windows computed by the servers."""
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
            request=0,
            clock=clock,
            transport=transport,
            deadline=DEADLINE,
        )
        with clock, torch.inference_mode():
            tokens = cloud.encode_windows(frame, assignment, weights=W)
            return here(networks).finish(tokens, W).features


def here(networks: FamilyNetworks) -> Edge:
    """What computes on this side."""
    return Edge(networks=networks, rng=np.random.default_rng(0), request=0, clock=Clock())


def resident(pid: int) -> int:
    """Bytes of a process that are in memory and its own."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def growth(load: Load) -> tuple[float, float]:
    """How much more memory edge and servers have in the last third than in the first one, warm-up aside, in MB."""
    looks = np.array([look for look in load.memory if look[0] > WARM_UP] or load.memory)
    third = max(1, len(looks) // 3)
    return tuple(
        float(np.median(looks[-third:, part]) - np.median(looks[:third, part])) / 1e6 for part in (1, 2)
    )  # type: ignore[return-value]


def described(load: Load, pictures: int, servers: int, seconds: float) -> str:
    """What came of it."""
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
