"""Servers for `tools.chaos`: real ones in processes of their own, after relays that corrupt bytes.

They write every received message to a file, and keep the files when an edge leaves.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pedbench
from pedbench.host.processes import without_main
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.network.certificates import Identity, make_keys, read_identity
from pedbench.offload.servers.remote import Remote, RemoteServers
from pedbench.offload.servers.remote_server import listen
from pedbench.offload.servers.server import ServerPlan, Service
from tools.chaos.fault_proxy import FaultProxy

HOST = "127.0.0.1"
_PRELOAD = [
    "torch",
    "grpc",
    "segment_anything",
    "pedbench.offload.servers.remote_server",
    "pedbench.offload.servers.remote",
]
_START_SECONDS = 60.0
_BACK_SECONDS = 30.0


def serve_and_note(
    connection: Connection, networks: FamilyNetworks, identity: Identity, folder: Path
) -> None:
    """Run a server until the other end of the connection closes.

    Args:
        connection: Receives the port.
        networks: The models.
        identity: The server's certificates.
        folder: Folder of one file per message.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    service = Service(ServerPlan(networks=networks, modules=()))
    networks.network("reordered")
    spool = service.handler.wiretap.spool

    def noted(method: str, metadata: Any, received: float, data: bytes) -> int:
        partial = folder / f"{time.monotonic_ns()}.partial"
        partial.write_bytes(data)
        partial.rename(partial.with_suffix(".message"))
        return spool(method, metadata, received, data)

    service.handler.wiretap.spool = noted  # type: ignore[method-assign]
    facts = {"version": pedbench.__version__, "model": "mini", "weights": {}}
    _, port = listen(service, HOST, 0, facts, identity)
    try:
        connection.send_bytes(str(port).encode())
        connection.recv_bytes()
    except (EOFError, OSError):
        pass
    os._exit(0)


class Fleet:
    """Servers, their relays, and an edge's connections through these.

    Args:
        count: Number of servers.
        networks: The models.
        patience: Seconds that a command may take.
    """

    def __init__(self, count: int, networks: FamilyNetworks, patience: float) -> None:
        self._networks = networks
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)
        self._scratch = tempfile.TemporaryDirectory(prefix="pedbench-chaos-")
        self.folder = Path(self._scratch.name)
        make_keys(self.folder / "keys", [[f"server{index}", HOST] for index in range(count)], days=1)
        self._processes: list[ForkServerProcess] = []
        self._controls: list[Connection] = []
        self.relays: list[FaultProxy] = []
        for index in range(count):
            (self.folder / str(index)).mkdir()
            process, control, port = self._start(index)
            self._processes.append(process)
            self._controls.append(control)
            self.relays.append(FaultProxy(host=HOST, port=port))
        self._remote = Remote(
            addresses=[relay.address for relay in self.relays],
            identity=read_identity(self.folder / "keys" / "edge", "edge"),
            model="mini",
            weights={},
            patience=patience,
        )
        self.servers = RemoteServers(self._remote, networks)

    def close(self) -> int:
        """End everything.

        Returns:
            Number of server processes that did not end by themselves.
        """
        self.servers.close()
        for relay in self.relays:
            relay.close()
        for control in self._controls:
            control.close()
        orphans = 0
        for process in self._processes:
            os.kill(process.pid or 0, signal.SIGCONT) if process.is_alive() else None
            process.join(timeout=20)
            if process.is_alive():
                orphans += 1
                process.kill()
        self._scratch.cleanup()
        return orphans

    def kill(self, server: int) -> None:
        """End a server without warning."""
        self._processes[server].kill()
        self._processes[server].join()

    def stop(self, server: int) -> None:
        """Suspend a server with its connections open."""
        os.kill(self._processes[server].pid or 0, signal.SIGSTOP)

    def go_on(self, server: int) -> None:
        """Resume a suspended server."""
        os.kill(self._processes[server].pid or 0, signal.SIGCONT)

    def mend(self, *, doubtful: bool) -> None:
        """Restart dead servers, and reconnect doubtful ones."""
        for relay in self.relays:
            relay.arm(None)
        for index, process in enumerate(self._processes):
            if not process.is_alive():
                self._controls[index].close()
                self._processes[index], self._controls[index], self.relays[index].port = self._start(index)
                doubtful = True
        if doubtful:
            for relay in self.relays:
                relay.hang_up()
        until = time.monotonic() + _BACK_SECONDS
        while True:
            try:
                self.servers.restore(doubtful=doubtful)
                return
            # A server may still be computing for the edge that it has lost.
            except ConnectionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def received(self, server: int) -> list[bytes]:
        """Return and delete the messages that a server received since the last call."""
        files = sorted((self.folder / str(server)).glob("*.message"))
        found = [file.read_bytes() for file in files]
        for file in files:
            file.unlink()
        return found

    def _start(self, index: int) -> tuple[ForkServerProcess, Connection, int]:
        control, theirs = self._context.Pipe()
        identity = read_identity(self.folder / "keys" / f"server{index}", "server")
        process = self._context.Process(
            target=serve_and_note,
            args=(theirs, self._networks, identity, self.folder / str(index)),
            name=f"server {index}",
            daemon=True,
        )
        with without_main():
            process.start()
        theirs.close()
        if not control.poll(_START_SECONDS):
            raise TimeoutError(f"server {index} did not start")
        return process, control, int(control.recv_bytes())
