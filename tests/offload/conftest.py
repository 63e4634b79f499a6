import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pedbench
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.network.certificates import Identity, make_keys, read_identity
from pedbench.offload.servers.remote_server import listen
from pedbench.offload.servers.server import ServerPlan, Service
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.types import Picture
from tests.offload.listening import HOST, Listening, Start

# Servers import `own_operations` by name, from this process's path.
sys.path.insert(0, str(Path(__file__).parent))

NETWORKS = FamilyNetworks(family=MINI, random_seed=0)


def make_picture(size: tuple[int, int]) -> Picture:
    levels = np.random.default_rng(5).integers(0, 256, (*size, 3))
    return levels.astype(np.float32) / np.float32(255)


@pytest.fixture(scope="session")
def picture() -> Callable[[tuple[int, int]], Picture]:
    """Return a function that makes a picture of size (H, W) of noise, so that neighbouring pixels differ."""
    return make_picture


@pytest.fixture(scope="session")
def networks() -> FamilyNetworks:
    return NETWORKS


@pytest.fixture(scope="session")
def shared_servers() -> Iterator[VirtualServers]:
    with VirtualServers(3, NETWORKS, modules=["own_operations"]) as servers:
        yield servers


@pytest.fixture
def servers(shared_servers: VirtualServers) -> VirtualServers:
    shared_servers.set_mode(turns=False, threads=1)
    return shared_servers


@pytest.fixture(params=[(240, 320), (320, 320), (320, 200)], ids=["wide", "square", "tall"])
def frame(request: pytest.FixtureRequest) -> Picture:
    return make_picture(request.param)


@pytest.fixture
def wide() -> Picture:
    return make_picture((240, 320))


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[str], Callable[[str], None]]]:
    """Name a proxy in the environment, and yield its list of targets and a function that names another."""
    targets: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            targets.append(self.path)
            self.send_error(502)

    def set_proxy(address: str) -> None:
        for kind in ("grpc", "https", "http", "all"):
            monkeypatch.setenv(f"{kind}_proxy", address)

    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    with HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        set_proxy(f"http://127.0.0.1:{proxy.server_port}")
        yield targets, set_proxy
        proxy.shutdown()


@pytest.fixture
def start(networks: FamilyNetworks) -> Start:
    """Return a function that serves in this process, with TLS if it gets an identity."""

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


@pytest.fixture(scope="session")
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
