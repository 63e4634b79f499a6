"""Measure the effect of sending windows in several messages: `python -m tools.benchmarks.pipelining`.

Prints the table and writes it into docs/measured/pipelining.md. The host must be quiet: all servers share its cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch

from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.network.links import Link, find_link
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_frame
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.registry import Registry
from pedbench.report.words.text import table
from pedbench.types import Picture
from tools.documents.measured_blocks import measured

LINKS = tuple(find_link(name) for name in ("loopback", "wifi-5", "5g", "lte"))
SERVERS = (3, 9)
REPEATS = 3
CHUNKS = (0, 4, 2, 1)
"""Windows per message; 0 for one message per server."""


def passes(
    defense: PedSam, frames: Sequence[Picture], servers: VirtualServers, networks: FamilyNetworks, link: Link
) -> list[list[Pass]]:
    """Run `REPEATS` passes over each frame, after a warm-up pass."""
    run_pass(defense, frames[0], servers, networks, np.random.default_rng(0), PassSettings(link=link))
    return [
        [
            run_pass(
                defense,
                frame,
                servers,
                networks,
                np.random.default_rng(0),
                PassSettings(link=link, seed=seed),
            )
            for _ in range(REPEATS)
        ]
        for seed, frame in enumerate(frames)
    ]


def milliseconds(done: Sequence[Sequence[Pass]], link: Link) -> str:
    """Format the median time of each picture's fastest pass, and in brackets that of its lower bound."""
    fastest = [
        min((each.times(link, seed).total, each.lower_bound(link)) for each in repeated)
        for seed, repeated in enumerate(done)
    ]
    total, bound = 1000 * np.median(fastest, axis=0)
    return f"{total:.0f} ({bound:.0f})"


@measured("measured/pipelining.md", "pipelining")
def main(pictures: int = 12) -> str:
    """Measure numbers of servers and sizes of messages on some validation scenes."""
    torch.set_num_threads(1)
    dataset = Registry().create("datasets", "scenes", {"split": "val"})
    networks = FamilyNetworks(family=MINI)
    side = networks.network("original").image_encoder.img_size
    frames = [to_frame(dataset[index].image, side) for index in range(pictures)]
    rows: dict[tuple[str, int, int], list[str]] = {}
    with VirtualServers(max(SERVERS), networks) as servers:
        for turns, count, chunk in product((True, False), SERVERS, CHUNKS):
            servers.set_mode(turns=turns, threads=1)
            defense = PedSam(servers=count, chunk=chunk)
            way = "turn-taking" if turns else "wall"
            if turns:
                done = passes(defense, frames, servers, networks, LINKS[0])
                cells = [milliseconds(done, link) for link in LINKS]
            else:
                cells = [
                    milliseconds(passes(defense, frames, servers, networks, link), link) for link in LINKS
                ]
            rows[way, count, chunk] = cells
            print(way, count, chunk, *cells, flush=True)
    lines = [
        [str(count), str(chunk or "all"), *rows["turn-taking", count, chunk], *rows["wall", count, chunk]]
        for count, chunk in product(SERVERS, CHUNKS)
    ]
    headers = ["servers", "windows in a message"]
    headers += [f"{link.name}, {way}" for way in ("turn-taking", "wall") for link in LINKS]
    return (
        f"`ped_sam` on {pictures} validation scenes, mini models, one thread each. Milliseconds end to end, "
        f"and in brackets the lower bound: medians over pictures, each with the fastest of {REPEATS} passes.\n\n"
        f"{table(headers, lines, left=2)}"
    )


if __name__ == "__main__":
    main()
