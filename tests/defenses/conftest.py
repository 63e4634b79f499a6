from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.base import Defense
from pedbench.models.sam.architectures import SMALL
from pedbench.models.sam.assembly import build_sam, preprocess
from pedbench.models.sam.family import MINI, Family, Member
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.observation import Observation, observe
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_uint8
from pedbench.privacy.disclosure_audit import Audit, audit
from pedbench.types import Picture

NETWORKS = {
    "mini": FamilyNetworks(family=MINI, random_seed=0),
    # Windows reach over the border of its token grid.
    "padded": FamilyNetworks(
        family=Family(
            name="padded",
            original=Member(architecture=SMALL, file=None, source=""),
            fine_tuned=Member(architecture=SMALL.reordered("ped-small"), file=None, source=""),
        ),
        random_seed=0,
    ),
}


class Setting:
    """Networks, servers that run them, and pictures of their size."""

    def __init__(self, networks: FamilyNetworks, servers: VirtualServers) -> None:
        self.networks = networks
        self.servers = servers
        self.side: int = networks.network("original").image_encoder.img_size

    def picture(self, height: float = 0.75, width: float = 1.0, seed: int = 5) -> Picture:
        """Noise, so that no pixel is like its neighbour by chance; sides relative to the canvas."""
        size = (round(height * self.side), round(width * self.side))
        levels = np.random.default_rng(seed).integers(0, 256, (*size, 3))
        picture: Picture = levels.astype(np.float32) / np.float32(255)
        return picture

    def run(self, defense: Defense, frame: Picture, seed: int = 0) -> Pass:
        return run_pass(defense, frame, self.servers, self.networks, np.random.default_rng(seed))

    def judge(self, defense: Defense, frame: Picture) -> tuple[Pass, tuple[Observation, ...], Audit]:
        done = self.run(defense, frame)
        seen = observe(
            done.received, self.servers.operations, self.networks, (frame.shape[0], frame.shape[1])
        )
        return done, seen, audit(seen, frame, defense, self.networks, done.streamed)

    def states(self, frame: Picture) -> list[torch.Tensor]:
        """What the original network in one piece, with segment_anything's own attention, computes.

        Returns:
            The tokens before each block, (1, h, w, C), those behind the last one, and the features.
        """
        sam = self.networks.network("original")
        reference: Any = build_sam(self.networks.family.original.architecture, fast=False)
        reference.load_state_dict(sam.state_dict())
        found: list[torch.Tensor] = []
        for block in reference.image_encoder.blocks:
            block.register_forward_pre_hook(lambda _, given: found.append(given[0]))
        reference.image_encoder.blocks[-1].register_forward_hook(lambda _, __, made: found.append(made))
        with torch.inference_mode():
            features = reference.image_encoder(preprocess(sam, to_uint8(frame)))
        return [*found, features]


@pytest.fixture(scope="session", params=["mini", "padded"])
def setting(request: pytest.FixtureRequest, make_setting: Callable[[str], Setting]) -> Setting:
    return make_setting(request.param)


@pytest.fixture(scope="session")
def mini(make_setting: Callable[[str], Setting]) -> Setting:
    return make_setting("mini")


@pytest.fixture(scope="session")
def make_setting() -> Iterator[Callable[[str], Setting]]:
    made: dict[str, Setting] = {}

    def make(name: str) -> Setting:
        if name not in made:
            made[name] = Setting(NETWORKS[name], VirtualServers(3, NETWORKS[name]))
        return made[name]

    yield make
    for setting in made.values():
        setting.servers.close()
