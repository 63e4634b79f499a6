"""A defense that runs a function of the test, and a pass of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.types import Picture

W = "reordered"


@dataclass(kw_only=True)
class Scripted(Defense):
    """Runs a function of the test."""

    name = "scripted"
    version = 1
    disclosure = "exact"
    script: Callable[[Picture, Edge, Cloud], Any]
    servers: int = 3

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        self.script(frame, edge, cloud)
        return edge.encode_image(frame, W)


def run(
    defense: Defense, frame: Picture, servers: VirtualServers, networks: FamilyNetworks, seed: int = 0
) -> Pass:
    return run_pass(defense, frame, servers, networks, np.random.default_rng(seed), PassSettings(request=2))
