"""Peers that a server or an edge refuses: wrong certificates, tokens and commands, and too many calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from pedbench.models.sam.networks import FamilyNetworks
from pedbench.network.certificates import Identity, make_keys, read_identity
from pedbench.offload.servers import remote
from pedbench.offload.servers.rate_limits import Rate
from pedbench.offload.servers.remote_server import COMMANDS, CONTROL, JOB
from pedbench.offload.wire.messages import METHOD
from pedbench.types import Picture
from tests.offload.listening import HOST, Start, connect, run


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
