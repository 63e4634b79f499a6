"""The wiretap of a server: how much it takes, what it keeps, and a server that records other bytes."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.errors import AuditError
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.servers.fleet import ServerLost
from pedbench.offload.servers.wiretap import Wiretap, WiretapFull
from pedbench.offload.wire.messages import METHOD
from pedbench.types import Picture
from tests.offload.listening import Start, connect, run


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
