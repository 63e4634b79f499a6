"""Attackers between edge and servers, next to them and in their place: what they learn, and what they can do."""

from __future__ import annotations

import ast
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

import pedbench
from pedbench.errors import AuditError
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.network.certificates import Identity, make_keys, read_identity
from pedbench.offload.operations.tiles import cut_tiles
from pedbench.offload.passes.run_pass import Pass, PassSettings, run_pass
from pedbench.offload.servers import remote
from pedbench.offload.servers.fleet import ServerLost
from pedbench.offload.servers.rate_limits import Rate
from pedbench.offload.servers.remote import Remote, RemoteServers
from pedbench.offload.servers.remote_server import COMMANDS, CONTROL, JOB, listen
from pedbench.offload.servers.server import ServerPlan, Service
from pedbench.offload.servers.wiretap import Wiretap, WiretapFull
from pedbench.offload.wire.messages import METHOD
from pedbench.pictures.frame import to_uint8
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture
from tools.chaos.fault_proxy import FAULTS, Fault, FaultProxy

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


@pytest.fixture
def start(networks: FamilyNetworks) -> Start:
    @contextmanager
    def started(identity: Identity | None = None, *, payloads: bool = True) -> Iterator[Listening]:
        service = Service(ServerPlan(networks=networks, modules=(), payloads=payloads))
        facts = {"version": pedbench.__version__, "model": "mini", "weights": {}}
        server, port = listen(service, HOST, 0, facts, identity)
        found = Listening(service=service, port=port)
        spool = service.handler.wiretap.spool

        def kept(method: str, metadata: Any, received: float, data: bytes) -> int:
            found.received.append(data)
            return spool(method, metadata, received, data)

        service.handler.wiretap.spool = kept  # type: ignore[method-assign]
        try:
            yield found
        finally:
            server.stop(0).wait()

    return started


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make keys of an edge, of a server at this address, and of one at another address."""
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder, [["here", HOST], ["elsewhere", "192.0.2.1"]], days=1)
    return folder


@pytest.fixture
def edge(keys: Path) -> Identity:
    return read_identity(keys / "edge", "edge")


@pytest.fixture
def server_identity(keys: Path) -> Identity:
    return read_identity(keys / "here", "server")


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


@pytest.mark.parametrize("secure", [False, True])
def test_a_proxy_reads_messages_only_without_tls(
    start: Start,
    edge: Identity,
    server_identity: Identity,
    wide: Picture,
    networks: FamilyNetworks,
    secure: bool,
) -> None:
    with start(server_identity if secure else None) as server:
        between = FaultProxy(host=HOST, port=server.port, keep=True)
        with connect(networks, between.address, edge if secure else None) as servers:
            done = run(wide, servers, networks)
        between.close()
    assert done.exchanges
    seen = b"".join(map(bytes, [*between.up, *between.down]))
    assert len(seen) > done.exchanges[0].bytes_up + done.exchanges[0].bytes_down
    found = [needle in seen for needle in [*needles(wide, networks), b"encode_windows", b"tokens", b'"job"']]
    assert not any(found) if secure else all(found)


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind != "slow"])
def test_every_change_by_a_proxy_is_detected(
    start: Start,
    edge: Identity,
    server_identity: Identity,
    wide: Picture,
    networks: FamilyNetworks,
    kind: str,
) -> None:
    with start(server_identity) as server:
        between = FaultProxy(host=HOST, port=server.port)
        with connect(networks, between.address, edge) as servers:
            expected = run(wide, servers, networks)
            sent = set(server.received)
            for way, after in (("up", 0), ("up", 100_000), ("down", 100_000)):
                between.arm(Fault(kind=kind, way=way, after=after))  # type: ignore[arg-type]
                with pytest.raises((ServerLost, AuditError)):
                    run(wide, servers, networks, deadline=1.0)
                assert between.struck
                between.hang_up()
                servers.restore(doubtful=True)
            later = run(wide, servers, networks)
        between.close()
    # Everything that the server received is what the edge sent.
    assert set(server.received) == sent
    assert later.embedding.features.equal(expected.embedding.features)


def test_replayed_records_are_refused(
    start: Start, edge: Identity, server_identity: Identity, wide: Picture, networks: FamilyNetworks
) -> None:
    with start(server_identity) as server:
        between = FaultProxy(host=HOST, port=server.port, keep=True)
        with connect(networks, between.address, edge) as servers:
            run(wide, servers, networks)
            before = list(server.received)
            for recorded in map(bytes, between.up):
                with socket.create_connection((HOST, server.port), timeout=5) as connection:
                    connection.sendall(recorded)
                    # The server hangs up, because TLS records belong to one connection.
                    answer = b""
                    while part := _received(connection):
                        answer += part
                    assert not any(needle in answer for needle in needles(wide, networks))
            assert server.received == before
            run(wide, servers, networks)
        between.close()


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def test_wrong_certificates_are_refused_with_a_reason(
    start: Start, keys: Path, tmp_path: Path, networks: FamilyNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_CONNECT_SECONDS", 3.0)
    make_keys(tmp_path, [["here", HOST]], days=1)
    make_keys(tmp_path / "old", [["here", HOST]], days=0)
    then = datetime.now(UTC) - timedelta(minutes=30)
    edge, valid = read_identity(keys / "edge", "edge"), read_identity(keys / "here", "server")
    elsewhere = read_identity(keys / "elsewhere", "server")
    strange, stranger = (read_identity(tmp_path / "here", "server"), read_identity(tmp_path / "edge", "edge"))
    expired = read_identity(tmp_path / "old" / "here", "server", then)
    late = read_identity(tmp_path / "old" / "edge", "edge", then)
    cases: list[tuple[Identity | None, Identity | None, str]] = [
        (strange, edge, "not signed by the authority of the --keys here"),
        (elsewhere, edge, "its certificate is for another host than 127.0.0.1"),
        (expired, late, "its certificate has expired"),
        (None, edge, "cannot be reached with TLS: it does not speak it"),
        (valid, None, "cannot be reached without TLS: it hangs up on a peer that speaks plainly"),
        (valid, stranger, "is refused: its certificate is not signed by the authority"),
        # A server that tries to use another server.
        (valid, elsewhere, "refuses this edge's certificate"),
    ]
    for identity, own, sentence in cases:
        with start(identity) as server, pytest.raises(ConnectionError, match=sentence):
            connect(networks, server.address, own)
        assert not server.received


def test_a_server_refuses_peers_without_an_edge_s_certificate(
    start: Start, keys: Path, tmp_path: Path, server_identity: Identity
) -> None:
    make_keys(tmp_path, [], days=1)
    make_keys(tmp_path / "old", [], days=0)
    strange = read_identity(tmp_path / "edge", "edge")
    other = read_identity(keys / "elsewhere", "server")
    shown: list[tuple[bytes | None, bytes | None]] = [
        (None, None),
        (strange.key, strange.certificate),
        (other.key, other.certificate),
    ]
    with start(server_identity) as server:
        for key, certificate in shown:
            credentials = grpc.ssl_channel_credentials(server_identity.authority, key, certificate)
            with grpc.secure_channel(server.address, credentials) as channel:
                for method in (CONTROL, METHOD):
                    call: Any = channel.unary_unary(method)
                    with pytest.raises(grpc.RpcError) as caught:
                        call(b"anything", timeout=5)
                    assert caught.value.code() in (
                        grpc.StatusCode.UNAVAILABLE,
                        grpc.StatusCode.PERMISSION_DENIED,
                    )
        assert not server.received


def test_a_call_without_the_job_s_token_is_refused_and_recorded(
    start: Start, wide: Picture, networks: FamilyNetworks
) -> None:
    with start() as server, connect(networks, server.address, None) as servers:
        before = servers._members[0].call.job
        servers.restore(doubtful=True)
        assert servers._members[0].call.job != before
        assert before not in str(servers.facts)
        with grpc.insecure_channel(server.address) as channel:
            call: Any = channel.unary_unary(METHOD)
            for metadata in ((), ((JOB, "0" * 32),), ((JOB, before),), ((JOB, ""),)):
                with pytest.raises(grpc.RpcError) as caught:
                    call(b"anything", timeout=5, metadata=metadata)
                assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert [tapped.data for tapped in servers.collect()[0]] == [b"anything"] * 4
        servers.forget()
        assert run(wide, servers, networks).exchanges


def test_a_remote_edge_can_send_no_other_commands(start: Start, networks: FamilyNetworks) -> None:
    with start() as server, connect(networks, server.address, None) as servers:
        for command in ({"name": "load", "weights": "/etc/passwd"}, {"name": "mode"}, {"name": ["clock"]}):
            with pytest.raises(RuntimeError, match=f"expected one of the commands {', '.join(COMMANDS)}"):
                servers._command(**command)
        control = servers._members[0].control
        for odd in (b"\xff", b"[" * 100_000, b"3", b""):
            control.send_bytes(odd)
            assert b"expected one of the commands" in control.recv_bytes()
        servers.forget()


def test_rates_are_limited() -> None:
    now = [0.0]
    rate = Rate(per_second=4, clock=lambda: now[0])
    assert [rate.allow() for _ in range(5)] == [True] * 4 + [False]
    now[0] = 0.5
    assert [rate.allow() for _ in range(3)] == [True, True, False]
    now[0] = 0.2
    assert not rate.allow()
    now[0] = 100.0
    assert sum(rate.allow() for _ in range(50)) == 4


def test_calls_above_the_rate_limit_are_refused(start: Start) -> None:
    with start() as server, grpc.insecure_channel(server.address) as channel:
        server.service.rate = Rate(per_second=2, clock=lambda: 0.0)
        call: Any = channel.unary_unary(METHOD)
        codes = []
        for _ in range(4):
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=5)
            codes.append(caught.value.code())
    assert codes == [grpc.StatusCode.FAILED_PRECONDITION] * 2 + [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2


def test_a_full_wiretap_computes_nothing(
    start: Start,
    wide: Picture,
    networks: FamilyNetworks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    small = Wiretap(max_bytes=5)
    small.spool(METHOD, (), 0.0, b"12345")
    with pytest.raises(WiretapFull, match="holds 5 bytes and takes 5"):
        small.spool(METHOD, (), 0.0, b"6")
    small.forget()
    assert small.contents() == []
    small.spool(METHOD, (), 0.0, b"678")
    small.spool(METHOD, (), 0.0, b"90")
    assert small.contents() == [b"678", b"90"]
    # A file without a name is gone when its process is killed.
    assert not list(tmp_path.iterdir())
    with start() as server, connect(networks, server.address, None) as servers:
        server.service.handler.wiretap.max_bytes = 1000
        with pytest.raises(ServerLost, match="RESOURCE_EXHAUSTED, the wiretap holds 0 bytes"):
            run(wide, servers, networks)
        server.service.handler.wiretap.max_bytes = 10**9
        # This stands in for a full disk.
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        with pytest.raises(ServerLost, match="RESOURCE_EXHAUSTED, the wiretap cannot be written"):
            run(wide, servers, networks)


def test_servers_need_not_keep_the_bytes_of_messages(
    start: Start, wide: Picture, networks: FamilyNetworks
) -> None:
    with ExitStack() as stack:
        passes, lengths = [], []
        for payloads in (True, False):
            server = stack.enter_context(start(payloads=payloads))
            servers = stack.enter_context(connect(networks, server.address, None))
            tap = server.service.handler.wiretap
            collect = tap.contents

            def noted(collect: Any = collect) -> list[bytes]:
                found: list[bytes] = collect()
                lengths.append([len(data) for data in found])
                return found

            tap.contents = noted  # type: ignore[method-assign]
            passes.append(run(wide, servers, networks))
    (stored,), empty = lengths
    assert empty == [0]
    kept, known = (done.received[0] for done in passes)
    assert kept.payload is not None
    assert known.payload is not None
    assert np.array_equal(kept.payload["pixels"], known.payload["pixels"])
    assert known.unexplained == ""
    assert stored == kept.bytes_in == known.bytes_in


def test_a_server_that_records_other_bytes_is_detected(
    start: Start, wide: Picture, networks: FamilyNetworks
) -> None:
    with start() as server, connect(networks, server.address, None) as servers:
        note_reply = server.service.handler.wiretap.note_reply

        def lie(number: int, reply: bytes) -> None:
            note_reply(number, reply[:-1] + bytes([reply[-1] ^ 1]))

        server.service.handler.wiretap.note_reply = lie  # type: ignore[method-assign]
        with pytest.raises(AuditError, match="a reply to message 0 that differs from the one received"):
            run(wide, servers, networks)


# gRPC's and the project's own methods of these names, which move bytes.
_KNOWN: set[tuple[str, str]] = {
    ("tls_probe.py", "plain.recv"),
    ("tls_probe.py", "secure.recv"),
    ("wiretap.py", "re.compile"),
    ("virtual.py", "self.load"),
}


def test_nothing_from_the_wire_is_unpickled_or_evaluated() -> None:
    forbidden = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"}
    # `Connection.recv` unpickles, and so do `load` of torch and numpy.
    calls = {"eval", "exec", "compile", "recv", "load", "loads"}
    allowed = {"json.loads", "tomli.loads"}
    package = Path(pedbench.__file__).parent
    on_the_wire = [
        package / "network" / f"{name}.py" for name in ("clock_offset", "emulated_link", "tls_probe")
    ]
    files = sorted([*(package / "offload").rglob("*.py"), *on_the_wire])
    assert len(files) > 20
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
                assert not {name.partition(".")[0] for name in names} & forbidden, file
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called.rpartition(".")[2] in calls and called not in allowed:
                    assert (file.name, called) in _KNOWN, (file, called)
