"""Embeddings, messages and times of passes."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch

from pedbench.base import Cloud, Edge
from pedbench.models.sam.assembly import build_sam, preprocess
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.passes.calls import calls_of
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_uint8
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.plugins.defenses.on_device import OnDevice
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.plugins.defenses.random_payload import RandomPayload
from pedbench.types import Picture
from tests.offload.scripted import Scripted, W, run


@pytest.fixture(scope="session")
def whole(networks: FamilyNetworks) -> Callable[[Picture], torch.Tensor]:
    """Run the reordered network as a whole, with segment_anything's own attention."""
    network = networks.network(W)
    reference = build_sam(networks.family.original.architecture, fast=False)
    reference.load_state_dict(networks.network("original").state_dict())
    order = [*range(3), *range(4, 7), 3, 7]
    reference.image_encoder.blocks = torch.nn.ModuleList(reference.image_encoder.blocks[i] for i in order)

    def encode(frame: Picture) -> torch.Tensor:
        with torch.inference_mode():
            features: torch.Tensor = reference.image_encoder(preprocess(network, to_uint8(frame)))
            return features

    return encode


@pytest.mark.parametrize(
    ("payload", "reply", "tolerance"),
    [
        ("pixels", "float32", 1e-4),
        ("tokens32", "float32", 1e-4),
        ("tokens16", "float32", 2e-2),
        ("pixels", "float16", 2e-2),
    ],
)
def test_ped_sam_equals_the_whole_encoder(
    frame: Picture,
    servers: VirtualServers,
    networks: FamilyNetworks,
    whole: Callable[[Picture], torch.Tensor],
    payload: str,
    reply: str,
    tolerance: float,
) -> None:
    done = run(PedSam(payload=payload, reply=reply, weights=W), frame, servers, networks)
    assert (done.embedding.features - whole(frame)).abs().max() < tolerance
    assert done.embedding.network is networks.network(W)
    assert {exchange.server for exchange in done.exchanges} == {0, 1, 2}
    assert not any(message.unexplained for message in done.received)
    assert len(done.streamed) == 3
    assert all(exchange.request == 2 for exchange in done.exchanges)


def test_full_offload_equals_the_whole_encoder(
    frame: Picture,
    servers: VirtualServers,
    networks: FamilyNetworks,
    whole: Callable[[Picture], torch.Tensor],
) -> None:
    done = run(FullOffload(weights=W), frame, servers, networks)
    assert (done.embedding.features - whole(frame)).abs().max() < 1e-4
    (exchange,) = done.exchanges
    assert exchange.bytes_up > frame.size
    assert exchange.sent <= exchange.received <= exchange.started <= exchange.finished <= exchange.replied


def test_servers_without_windows_get_no_message(
    picture: Callable[[tuple[int, int]], Picture], servers: VirtualServers, networks: FamilyNetworks
) -> None:
    done = run(PedSam(weights=W), picture((60, 120)), servers, networks)
    assert {message.server for message in done.received} == {0, 1}


def test_taking_turns_changes_times_alone(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    together = run(PedSam(weights=W), wide, servers, networks)
    servers.set_mode(turns=True, threads=1)
    apart = run(PedSam(weights=W), wide, servers, networks)
    assert apart.composed
    assert not together.composed
    assert apart.embedding.features.equal(together.embedding.features)
    intervals = sorted((exchange.sent, exchange.replied) for exchange in apart.exchanges)
    assert all(before[1] <= after[0] for before, after in pairwise(intervals))
    assert (
        apart.times().total
        < sum(end - start for start, end in intervals) + apart.times().prepare + apart.times().edge
    )


def test_phases_are_positive_and_all_of_the_pass(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    times = run(PedSam(weights=W), wide, servers, networks).times()
    assert min(times.prepare, times.uplink, times.server, times.downlink, times.edge) > 0


def test_nothing_is_sent_on_the_device(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    done = run(OnDevice(weights=W), wide, servers, networks)
    assert not done.received
    assert not done.exchanges


def test_noise_has_the_shapes_of_windows(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    decoy = RandomPayload(weights=W)
    decoy.prepare("cpu")
    noise = run(decoy, wide, servers, networks)
    real = run(PedSam(weights=W), wide, servers, networks)
    assert [message.bytes_in for message in noise.received] == [message.bytes_in for message in real.received]


def test_several_rounds_are_distinguished(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    rounds = []

    def script(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        pixels = to_uint8(frame)
        together = [cloud[server].call("echo", pixels=pixels) for server in (0, 1)]
        assert all(np.array_equal(pending.result()["pixels"], pixels) for pending in together)
        # Nobody waits for this reply, but it has an exchange.
        cloud[2].call("echo", pixels=pixels)
        rounds.append(calls_of(cloud))

    done = run(Scripted(script=script), wide, servers, networks)
    assert [len(exchanges) for exchanges in rounds[0].rounds] == [2, 1]
    assert [exchange.sequence for exchange in done.exchanges] == [0, 1, 2]
