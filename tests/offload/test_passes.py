from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.errors import AuditError, DisclosureError
from pedbench.models.sam.assembly import build_sam, preprocess
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.passes.call import RemoteError
from pedbench.offload.passes.calls import calls_of
from pedbench.offload.passes.run_pass import Pass, PassSettings, run_pass
from pedbench.offload.passes.tap_checks import check_bytes
from pedbench.offload.servers.fleet import ServerLost
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.wire.messages import WireError
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.plugins.defenses.on_device import OnDevice
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.plugins.defenses.random_payload import RandomPayload
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


def test_too_much_for_one_server_is_not_sent(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    @dataclass(kw_only=True)
    class Greedy(Scripted):
        def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
            return 0.5

    def script(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        cloud.encode_windows(frame, {0: edge.grid(W).active(frame.shape[:2])}, weights=W)

    with pytest.raises(DisclosureError, match=r"server 0 would get 100.0%"):
        run(Greedy(script=script), wide, servers, networks)
    assert servers.collect() == [[], [], []]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda windows: {0: windows[1:]}, "each of the windows"),
        (lambda windows: {0: windows, 1: windows[:1]}, "each of the windows"),
        (lambda windows: {0: (*windows, (4, 0))}, "each of the windows"),
        (lambda windows: {3: windows}, "0..2"),
    ],
)
def test_assignments_must_fit(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks, change: Any, message: str
) -> None:
    def script(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        cloud.encode_windows(frame, change(edge.grid(W).active(frame.shape[:2])), weights=W)

    with pytest.raises(ValueError, match=message):
        run(Scripted(script=script), wide, servers, networks)


def test_calls_that_break_the_schema_are_not_sent(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    def script(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        arguments = {"weights": W, "reply": "float32", "picture": "hidden"}
        cloud[0].call("encode_image", arguments=arguments, pixels=to_uint8(frame))

    with pytest.raises(WireError, match="picture"):
        run(Scripted(script=script), wide, servers, networks)
    assert servers.collect() == [[], [], []]


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


@pytest.mark.parametrize(
    ("operation", "error", "message"),
    [
        ("broken", RemoteError, r"KeyError: 'no such thing' \(own_operations.py:\d+\)"),
        ("other", RemoteError, "reply of other"),
        ("tensor", RemoteError, "reply of tensor: 'blob' is a torch.Tensor: make it a NumPy array"),
    ],
)
def test_failing_operations_name_server_and_reason(
    wide: Picture,
    servers: VirtualServers,
    networks: FamilyNetworks,
    operation: str,
    error: type[Exception],
    message: str,
) -> None:
    def script(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        cloud[1].call(operation, blob=np.zeros(3, np.uint8)).result()

    with pytest.raises(error, match=rf"server 1.*{message}"):
        run(Scripted(script=script), wide, servers, networks)


def test_a_server_killed_in_mid_run_fails_the_pass_and_no_other(
    wide: Picture, networks: FamilyNetworks
) -> None:
    def script(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        pending = cloud[1].call("hang", blob=np.zeros(3, np.uint8))
        servers.kill(1)
        pending.result()

    with VirtualServers(2, networks, modules=["own_operations"]) as servers:
        with pytest.raises(ServerLost, match="server 1"):
            run(Scripted(script=script, servers=2), wide, servers, networks)
        assert servers.restart_lost() == (1,)
        done = run(PedSam(servers=2, weights=W), wide, servers, networks)
        assert len(done.received) == 2


def test_edge_and_servers_must_count_the_same(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    done = run(PedSam(weights=W), wide, servers, networks)
    check_bytes(done.exchanges, done.received)
    with pytest.raises(AuditError, match="no server has"):
        check_bytes(done.exchanges, done.received[1:])
    with pytest.raises(AuditError, match="nothing of it"):
        check_bytes(done.exchanges[1:], done.received)
    with pytest.raises(AuditError, match="nothing of it"):
        check_bytes(done.exchanges, [*done.received, done.received[0]])


def test_a_frame_that_is_not_an_8_bit_picture_is_refused(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    with pytest.raises(ValueError, match="1/255"):
        run(OnDevice(), wide * np.float32(0.5), servers, networks)


def test_more_servers_than_started_are_refused(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    with pytest.raises(ValueError, match="calls 4 servers, but 3"):
        run(PedSam(servers=4), wide, servers, networks)
