"""Virtual servers: processes on this host that a run starts, commands and ends."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import cast

import grpc

from pedbench.base import Networks
from pedbench.host.processes import server_context, without_main
from pedbench.offload.servers.fleet import Member, ServerLost, Servers
from pedbench.offload.servers.server import ServerPlan, serve
from pedbench.offload.wire.messages import CHANNEL_OPTIONS, METHOD

_START_SECONDS = 120.0


@dataclass(kw_only=True)
class _Member(Member):
    process: ForkServerProcess


class VirtualServers(Servers):
    """Server processes on this host, each with its own port, wiretap and control connection.

    They end with this process, even if it is killed. One pass at a time may use them.

    Args:
        count: Number of servers.
        networks: The models, which are sent to each process.
        modules: Importable modules with further operations.

    Raises:
        ValueError: A module cannot be used.
        ServerLost: A process died while starting.
    """

    def __init__(self, count: int, networks: Networks, *, modules: Sequence[str] = ()) -> None:
        super().__init__(networks, modules)
        self._threads = 1
        self._loaded: dict[str, None] = {}
        self._context = server_context()
        try:
            self._members = self._start(range(count))
        except BaseException:
            self.close()
            raise

    @property
    def _own(self) -> Sequence[_Member]:
        return cast(Sequence[_Member], self._members)

    def pids(self) -> list[int]:
        """Return the process id of each server."""
        return [member.process.pid or 0 for member in self._own]

    def set_mode(self, *, turns: bool, threads: int) -> None:
        self.turns, self._threads = turns, threads
        self._command(name="mode", turns=turns, threads=threads)

    def load(self, *weights: str) -> None:
        """Let every server load networks now, so that no pass waits for it."""
        for name in weights:
            self._command(name="load", weights=name)
            self._loaded[name] = None

    def kill(self, server: int) -> None:
        self._own[server].process.kill()
        self._own[server].process.join()

    def restart_lost(self) -> tuple[int, ...]:
        """Restart the servers that died, and return their indices."""
        lost = tuple(index for index, member in enumerate(self._own) if not member.process.is_alive())
        members = list(self._own)
        for index, member in zip(lost, self._start(lost), strict=True):
            members[index].control.close()
            members[index].channel.close()
            members[index] = member
        self._members = members
        if lost:
            self.set_mode(turns=self.turns, threads=self._threads)
            self.load(*self._loaded)
        return lost

    def grow(self, count: int) -> None:
        """Start servers until there are `count`."""
        self._members = [*self._own, *self._start(range(len(self), count))]
        self.set_mode(turns=self.turns, threads=self._threads)
        self.load(*self._loaded)

    def restore(self, *, doubtful: bool) -> None:
        if doubtful:
            for server in range(len(self)):
                self.kill(server)
        self.restart_lost()

    def close(self) -> None:
        """Stop all servers; their recorded messages end with them."""
        members = self._own
        super().close()
        for member in members:
            member.process.join(timeout=5)
            if member.process.is_alive():
                member.process.kill()
                member.process.join()

    def _start(self, servers: Sequence[int]) -> list[_Member]:
        started = []
        with contextlib.ExitStack() as unfinished:
            for server in servers:
                control, server_end = self._context.Pipe()
                unfinished.callback(control.close)
                plan = ServerPlan(networks=self.networks, modules=self.modules)
                process = self._context.Process(
                    target=serve, args=(server_end, plan), name=f"server {server}", daemon=True
                )
                with without_main():
                    process.start()
                server_end.close()
                started.append((server, process, control))
            members = [self._connect(*parts) for parts in started]
            unfinished.pop_all()
        return members

    def _connect(self, server: int, process: ForkServerProcess, control: Connection) -> _Member:
        try:
            if not control.poll(_START_SECONDS):
                raise ServerLost(f"server {server} did not start within {_START_SECONDS:.0f} s")
            hello = json.loads(control.recv_bytes())
        except (EOFError, OSError) as error:
            raise ServerLost(f"server {server} died while starting") from error
        if "error" in hello:
            raise ValueError(f"server {server} cannot start: {hello['error']}")
        self._check_sources(f"server {server}", hello["operations"])
        channel = grpc.insecure_channel(f"127.0.0.1:{hello['port']}", options=CHANNEL_OPTIONS)
        return _Member(process=process, control=control, channel=channel, call=channel.unary_unary(METHOD))
