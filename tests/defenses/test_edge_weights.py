"""Weights that the edge of a pass moves to its device, on a device that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.base import Defense
from pedbench.models.sam.networks import FamilyNetworks, load_network
from pedbench.models.sam.reorder import global_blocks
from pedbench.offload.passes.run_pass import run_pass
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.plugins.defenses.on_device import OnDevice
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture
from tests.defenses.conftest import Setting
from tests.pretended_device import pretended_cuda

EXPECTED: dict[str, tuple[Defense, Callable[[Any], tuple[int, ...]]]] = {
    "ped_sam": (PedSam(servers=1), global_blocks),
    "with windows at home": (PedSam(servers=1, home=0.5), lambda encoder: tuple(range(len(encoder.blocks)))),
    "full_offload": (FullOffload(), lambda encoder: ()),
    "on_device": (OnDevice(), lambda encoder: tuple(range(len(encoder.blocks)))),
}
"""Defenses, and the indices of the blocks that their edge runs."""


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Keep networks on the pretended device out of other tests."""
    load_network.cache_clear()
    yield
    load_network.cache_clear()


def features(setting: Setting, networks: FamilyNetworks, defense: Defense, frame: Picture) -> torch.Tensor:
    done = run_pass(defense, frame, setting.servers, networks, np.random.default_rng(0))
    return done.embedding.features.cpu()


def moved(network: Any) -> tuple[int, ...]:
    """Return the indices of the blocks of which any tensor is on the device, and raise if it is not the whole block."""
    found = []
    for index, block in enumerate(network.image_encoder.blocks):
        kinds = {tensor.device.type for tensor in block.state_dict().values()}
        assert len(kinds) == 1
        if kinds == {"cuda"}:
            found.append(index)
    return tuple(found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXPECTED)
def test_only_blocks_that_the_edge_runs_are_moved(mini: Setting, kind: str) -> None:
    defense, expected = EXPECTED[kind]
    frame = mini.picture(height=0.5)
    on_cpu = features(mini, mini.networks, defense, frame)
    with pretended_cuda():
        networks = replace(mini.networks, device="cuda")
        found = features(mini, networks, defense, frame)
        (name,) = defense.networks
        network = networks.network(name)
        assert moved(network) == expected(network.image_encoder)
        assert network.image_encoder.neck[0].weight.is_cuda
    torch.testing.assert_close(found, on_cpu, atol=1e-4, rtol=1e-4)
