"""Passes that are refused or fail: too much for one server, wrong assignments and calls, failing operations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pedbench.base import Cloud, Edge
from pedbench.errors import AuditError, DisclosureError
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.passes.call import RemoteError
from pedbench.offload.passes.tap_checks import check_bytes
from pedbench.offload.servers.fleet import ServerLost
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.wire.messages import WireError
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.on_device import OnDevice
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture
from tests.offload.scripted import Scripted, W, run


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


@pytest.mark.slow
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
