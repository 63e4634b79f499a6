"""Servers started with `pedbench serve`: passes equal those of virtual servers, and differing servers are refused."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

import pedbench
from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.models.sam.family import MINI, WEIGHTS
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.network.certificates import make_keys, read_identity
from pedbench.offload.passes.call import RemoteError
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers import remote, server
from pedbench.offload.servers.fleet import ServerLost, Servers
from pedbench.offload.servers.remote import Remote, RemoteServers
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.wire.messages import METHOD
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.plugins.defenses.on_device import OnDevice
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture

pytestmark = pytest.mark.slow

Serve = Callable[..., AbstractContextManager[Any]]

FOLDER = Path(__file__).parent
NETWORKS = FamilyNetworks(family=MINI)
MODULES = ["own_operations"]
BLOB = np.zeros(3, np.uint8)


@dataclass(kw_only=True)
class OneCall(Defense):
    """Calls one operation on one server."""

    name = "one_call"
    version = 1
    disclosure = "exact"
    operation: str

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        cloud[0].call(self.operation, blob=BLOB).result()
        return edge.encode_image(frame)


def connect(*addresses: str, patience: float = 60.0, **changes: Any) -> RemoteServers:
    known = {"identity": None, "model": "mini", "weights": MINI.digests(WEIGHTS)} | changes
    return RemoteServers(Remote(addresses=addresses, patience=patience, **known), NETWORKS, modules=MODULES)


def run(defense: Defense, frame: Picture, servers: Servers, deadline: float = 60.0) -> Pass:
    return run_pass(
        defense, frame, servers, NETWORKS, np.random.default_rng(0), PassSettings(deadline=deadline)
    )


@pytest.fixture(scope="module")
def addresses(serve: Serve) -> Iterator[list[str]]:
    options = ("--plugin", *MODULES)
    with serve(*options, paths=[FOLDER]) as first, serve(*options, paths=[FOLDER]) as second:
        yield [first.address, second.address]


@pytest.fixture
def servers(addresses: list[str]) -> Iterator[RemoteServers]:
    with connect(*addresses) as servers:
        yield servers


@pytest.mark.parametrize(
    "defense",
    [OnDevice(), FullOffload(), PedSam(servers=2), PedSam(servers=2, reply="quantised(bits=6)")],
    ids=str,
)
def test_embedding_and_views_are_those_of_virtual_servers(
    defense: Defense, servers: RemoteServers, wide: Picture
) -> None:
    far = run(defense, wide, servers)
    with VirtualServers(2, NETWORKS, modules=MODULES) as virtual:
        near = run(defense, wide, virtual)
    assert far.embedding.features.equal(near.embedding.features)
    assert len(far.received) == len(near.received)
    for one, other in zip(far.received, near.received, strict=True):
        assert one.payload is not None
        assert other.payload is not None
        assert {name: array.tobytes() for name, array in one.payload.items()} == {
            name: array.tobytes() for name, array in other.payload.items()
        }
        same = ("server", "operation", "arguments", "unexplained", "bytes_in", "bytes_out", "codecs")
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
    times = far.times()
    assert min(times.uplink, times.server, times.downlink, times.edge) >= 0
    assert times.total == pytest.approx(far.clock.stop - far.clock.start)


def test_a_clock_that_is_ahead_changes_no_time(
    servers: RemoteServers, wide: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() - 5000)
    servers.restore(doubtful=False)
    assert all(abs(offset.seconds - 5000) <= offset.uncertainty for offset in servers.offsets)
    assert all(0 < offset.uncertainty < 0.5 for offset in servers.offsets)
    for exchange in run(PedSam(servers=2), wide, servers).exchanges:
        assert exchange.sent <= exchange.received <= exchange.started <= exchange.finished <= exchange.replied


def test_one_edge_at_a_time(servers: RemoteServers, addresses: list[str]) -> None:
    with pytest.raises(ConnectionError, match="admits nobody: another edge uses this server"):
        connect(addresses[0])
    # The intruder is recorded, so that the admitted edge sees it.
    assert [message.method for message in servers.collect()[0]] == ["/pedbench.Server/Control"]
    servers.forget()
    servers.close()
    connect(*addresses).close()


def test_no_call_without_an_edge(addresses: list[str]) -> None:
    with grpc.insecure_channel(addresses[0]) as channel:
        method: Any = channel.unary_unary(METHOD)
        with pytest.raises(grpc.RpcError) as caught:
            method(b"anything", timeout=10)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_no_proxy_of_the_environment_is_used(
    proxied: tuple[list[str], Callable[[str], None]], addresses: list[str], wide: Picture
) -> None:
    targets, set_proxy = proxied
    for proxy in ("", "http://127.0.0.1:9"):
        if proxy:
            set_proxy(proxy)
        with VirtualServers(1, NETWORKS) as virtual, connect(addresses[0]) as servers:
            for one in (virtual, servers):
                assert run(FullOffload(), wide, one).exchanges
    assert not targets


def test_other_weights_model_or_version_are_refused(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="has other weights than this machine for ped-mini"):
        connect(addresses[0], weights={**MINI.digests(), "ped-mini": "0" * 64})
    with pytest.raises(
        ValueError, match=r"serves the model mini, expected vit_b: start it with --model vit_b"
    ):
        connect(addresses[0], model="vit_b")
    monkeypatch.setattr(pedbench, "__version__", "99")
    with pytest.raises(ValueError, match=r"runs pedbench \S+, this machine 99"):
        connect(addresses[0])


def test_other_code_is_refused(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "source_hash", lambda operation: operation.name)
    with pytest.raises(ValueError, match=r"runs other code than this process for .*'encode_windows'"):
        connect(addresses[0])


@pytest.mark.parametrize(
    ("operation", "sentence"), [("other", "WireError: arrays of the reply of other"), ("broken", "KeyError")]
)
def test_a_wrong_reply_is_reported_and_the_server_goes_on(
    operation: str, sentence: str, servers: RemoteServers, wide: Picture
) -> None:
    with pytest.raises(RemoteError, match=sentence):
        run(OneCall(operation=operation), wide, servers)
    assert run(PedSam(servers=2), wide, servers).exchanges


@pytest.mark.slow
def test_a_late_answer_ends_at_the_deadline_and_blocks_the_server(serve: Serve, wide: Picture) -> None:
    with serve("--plugin", *MODULES, paths=[FOLDER]) as late, connect(late.address) as servers:
        began = time.monotonic()
        with pytest.raises(ServerLost, match=r"did not answer hang: (DEADLINE_EXCEEDED|no reply after 1 s)"):
            run(OneCall(operation="hang"), wide, servers, deadline=1)
        with pytest.raises(ConnectionError, match="still computes for an edge that has left"):
            servers.restore(doubtful=True)
        assert time.monotonic() - began < 20


@pytest.mark.long
def test_a_stalled_or_lost_server_is_reported_in_time(
    serve: Serve, wide: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_CONNECT_SECONDS", 2.0)
    with (
        serve("--plugin", *MODULES, paths=[FOLDER]) as server,
        connect(server.address, patience=2) as servers,
    ):
        run(FullOffload(), wide, servers)
        server.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(ServerLost, match=r"servers \[0\] are gone|DEADLINE_EXCEEDED|no reply after"):
            run(FullOffload(), wide, servers, deadline=2)
        with pytest.raises(
            ConnectionError, match=f"{server.address} cannot be reached without TLS within 2 s"
        ):
            servers.restore(doubtful=True)
        assert time.monotonic() - began < 20
        server.process.send_signal(signal.SIGCONT)
        servers.restore(doubtful=True)
        run(FullOffload(), wide, servers)
        server.process.kill()
        server.process.wait()
        with pytest.raises(ServerLost):
            run(FullOffload(), wide, servers, deadline=2)


@pytest.mark.slow
def test_keys(serve: Serve, wide: Picture, tmp_path: Path) -> None:
    make_keys(tmp_path, [["server", "127.0.0.1"]], days=1)
    identity = read_identity(tmp_path / "edge", "edge")
    options = ("--plugin", *MODULES, "--keys", str(tmp_path / "server"))
    with serve(*options, paths=[FOLDER], bind="0.0.0.0:0") as server:
        address = server.address.replace("0.0.0.0", "127.0.0.1")
        with connect(address, identity=identity) as servers:
            assert run(FullOffload(), wide, servers).exchanges
        with pytest.raises(ConnectionError, match="cannot be reached without TLS: it hangs up"):
            connect(address)
