"""Servers that stall, die, or answer late or wrongly in the middle of a pass."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pedbench.base import Cloud, Edge, Embedding
from pedbench.errors import DisclosureError
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.network.links import Direction, Link, find_link
from pedbench.offload.operations.observation import observe
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.calls import OnLost, PassSettings
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.passes.scatter import window_payloads
from pedbench.offload.servers.fleet import ServerLost
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.servers.wiretap import read_messages
from pedbench.offload.wire.messages import WireError
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.privacy.disclosure_audit import audit
from pedbench.types import Picture
from tests.offload.troubles import Trouble, Troubled, W, be_late, be_wrong, contents, die, stall, undisturbed

TROUBLES = {
    stall: "no reply after 3 s|DEADLINE",
    be_late: "no reply after 3 s|DEADLINE",
    die: "UNAVAILABLE",
    be_wrong: r"returned tokens of shape \(\d, 4, 4, 192\)",
}


@pytest.fixture(scope="module")
def fragile(networks: FamilyNetworks) -> Iterator[VirtualServers]:
    """Start servers that tests may break."""
    with VirtualServers(3, networks, modules=["own_operations"]) as servers:
        yield servers


@pytest.fixture(params=TROUBLES, ids=lambda trouble: trouble.__name__)
def troubled(
    request: pytest.FixtureRequest,
    fragile: VirtualServers,
    wide: Picture,
    networks: FamilyNetworks,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Pass]]:
    """Return a function that runs a pass with trouble; the servers are repaired afterwards."""
    trouble: Trouble = request.param

    def run(on_lost: OnLost, **parameters: Any) -> Pass:
        defense = Troubled(
            weights=W, trouble=lambda cloud: trouble(fragile, cloud, monkeypatch), **parameters
        )
        rng = np.random.default_rng(0)
        return run_pass(defense, wide, fragile, networks, rng, PassSettings(deadline=3.0, on_lost=on_lost))

    # Networks are loaded before the deadline counts.
    undisturbed(wide, fragile, networks)
    yield run
    monkeypatch.undo()
    for server in range(3):
        fragile.kill(server)
    fragile.restart_lost()


@pytest.mark.slow
def test_a_lost_server_fails_the_pass_at_the_deadline(
    troubled: Callable[..., Pass], request: pytest.FixtureRequest
) -> None:
    began = time.monotonic()
    with pytest.raises((ServerLost, ValueError), match=f"server 1.*({TROUBLES[_trouble(request)]})"):
        troubled("fail")
    assert time.monotonic() - began < 9


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [0, 2])
def test_the_edge_computes_the_windows_of_a_lost_server(
    troubled: Callable[..., Pass],
    request: pytest.FixtureRequest,
    wide: Picture,
    fragile: VirtualServers,
    networks: FamilyNetworks,
    chunk: int,
) -> None:
    expected = undisturbed(wide, fragile, networks)
    began = time.monotonic()
    done = troubled("edge", chunk=chunk)
    assert time.monotonic() - began < 9
    assert 1 in done.lost
    assert done.embedding.features.equal(expected.embedding.features)
    # The lost server's windows go to no other server, and its messages count as received.
    assert contents(done) == contents(expected)
    size = (wide.shape[0], wide.shape[1])
    seen = observe(done.received, fragile.operations, networks, size)
    found = audit(
        [each for each in seen if each.message.operation == "encode_windows"],
        wide,
        PedSam(weights=W),
        networks,
        done.streamed,
    )
    assert not found.invalid
    assert not found.whole_visible


@dataclass(kw_only=True)
class Stubborn(Troubled):
    """Sends a lost server's windows to another server."""

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return float(PedSam().max_share(frame, grid))

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        with pytest.raises((ServerLost, WireError)):
            super().embed(frame, edge, cloud)
        windows = edge.grid(W).active((frame.shape[0], frame.shape[1]))
        mine = assign("dispersed", windows, 3, edge.rng)[1]
        payloads = window_payloads(edge.networks.network(W), to_uint8(frame), {2: mine}, "pixels")
        cloud.send(payloads, "encode_windows", {"weights": W, "reply": "float32"})[2].result()
        return edge.encode_image(frame, W)


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [stall, be_wrong], ids=lambda trouble: trouble.__name__)
def test_no_other_server_gets_the_windows_of_a_lost_one(
    trouble: Trouble,
    wide: Picture,
    networks: FamilyNetworks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with VirtualServers(3, networks) as servers:
        expected = contents(undisturbed(wide, servers, networks))
        defense = Stubborn(weights=W, trouble=lambda cloud: trouble(servers, cloud, monkeypatch))
        with pytest.raises(DisclosureError, match="server 2 would get"):
            run_pass(defense, wide, servers, networks, np.random.default_rng(0), PassSettings(deadline=1.0))
        tapped = servers.collect(skip=[1])[2]
    (message,) = read_messages(2, tapped, servers.operations)
    assert message.payload is not None
    found = sorted((2, tile.tobytes()) for tile in message.payload["pixels"])
    assert found == [pair for pair in expected if pair[0] == 2]


@pytest.mark.slow
def test_a_server_that_goes_on_confuses_no_later_pass(
    wide: Picture, networks: FamilyNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    with VirtualServers(3, networks) as servers:
        expected = undisturbed(wide, servers, networks)
        stalled = servers.pids()[1]
        defense = Troubled(weights=W, trouble=lambda cloud: stall(servers, cloud, monkeypatch))
        run_pass(
            defense,
            wide,
            servers,
            networks,
            np.random.default_rng(0),
            PassSettings(deadline=0.5, on_lost="edge"),
        )
        os.kill(stalled, signal.SIGCONT)
        servers.kill(1)
        assert servers.restart_lost() == (1,)
        assert not os.path.exists(f"/proc/{stalled}")
        later = undisturbed(wide, servers, networks)
    assert contents(later) == contents(expected)
    assert len(later.received) == len(expected.received)
    assert not later.lost


def test_lost_packets_take_time_and_nothing_else(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    way = Direction(rate=100, delay=10, loss=0.2)
    lossy = Link(name="made", up=way, down=way)
    plain, slow = (undisturbed(wide, servers, networks, link) for link in (find_link("loopback"), lossy))
    assert slow.embedding.features.equal(plain.embedding.features)
    assert contents(slow) == contents(plain)
    # A message has about 60 packets, of which one in five is lost; some are lost twice.
    assert slow.times().uplink + slow.times().downlink > 0.1


@pytest.mark.slow
def test_a_server_that_obeys_no_command_is_killed(
    networks: FamilyNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pedbench.offload.servers.fleet._COMMAND_SECONDS", 0.2)
    with VirtualServers(2, networks) as servers:
        os.kill(servers.pids()[0], signal.SIGSTOP)
        with pytest.raises(ServerLost, match=r"\[0\]"):
            servers.forget()
        assert servers.restart_lost() == (0,)
        servers.forget()


def _trouble(request: pytest.FixtureRequest) -> Any:
    return request.node.callspec.params["troubled"]
