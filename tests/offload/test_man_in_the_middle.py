"""An attacker between edge and server: what it reads, and what its changes and replays do."""

from __future__ import annotations

import socket

import pytest

from pedbench.errors import AuditError
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.network.certificates import Identity
from pedbench.offload.servers.fleet import ServerLost
from pedbench.types import Picture
from tests.offload.listening import HOST, Start, connect, needles, run
from tools.chaos.fault_proxy import FAULTS, Fault, FaultProxy


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


@pytest.mark.slow
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


@pytest.mark.slow
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
