"""A server in this process that keeps every message, and an edge that connects to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np

from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.network.certificates import Identity
from pedbench.offload.operations.tiles import cut_tiles
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.remote import Remote, RemoteServers
from pedbench.offload.servers.server import Service
from pedbench.pictures.frame import to_uint8
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture

W = "reordered"
HOST = "127.0.0.1"


@dataclass(kw_only=True)
class Listening:
    """A server in this process, with every message that it ever received."""

    service: Service
    port: int
    received: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"


Start = Callable[..., AbstractContextManager[Listening]]


def connect(networks: FamilyNetworks, address: str, identity: Identity | None) -> RemoteServers:
    return RemoteServers(
        Remote(addresses=[address], identity=identity, model="mini", weights={}, patience=3.0), networks
    )


def run(frame: Picture, servers: RemoteServers, networks: FamilyNetworks, deadline: float = 10.0) -> Pass:
    defense = PedSam(servers=1, weights=W)
    return run_pass(
        defense, frame, servers, networks, np.random.default_rng(0), PassSettings(deadline=deadline)
    )


def needles(frame: Picture, networks: FamilyNetworks) -> list[bytes]:
    """Return a row of pixels of each window, as bytes."""
    grid = window_grid(networks.network(W).image_encoder)
    return [
        cut_tiles(to_uint8(frame), [window], grid)[0, 0, :16].tobytes()
        for window in grid.active((frame.shape[0], frame.shape[1]))
    ]
