"""Virtual servers: processes on this host, started, commanded and ended by the run."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc

from pedbench.base import Networks
from pedbench.offload.coding import codec_sources
from pedbench.offload.operations import load_operations, source_hash
from pedbench.offload.server import ServerPlan, serve
from pedbench.offload.wire import CHANNEL_OPTIONS, METHOD
from pedbench.offload.wiretap import Tapped

# Loaded once in the process that the servers are forked from.
_PRELOAD = ["torch", "grpc", "segment_anything", "pedbench.offload.server"]
_START_SECONDS = 120.0
_COMMAND_SECONDS = 30.0


class ServerLost(RuntimeError):
    """A server that does not answer any more."""


@dataclass(kw_only=True)
class _Member:
    process: ForkServerProcess
    control: Connection
    channel: grpc.Channel
    call: Any


class VirtualServers:
    """Server processes on this host, each with its own port, wiretap and control connection.

    They end with this process, however that ends. One pass at a time may use them.

    Args:
        count: How many.
        networks: Loads their models; sent to each process.
        modules: Importable modules with further operations.

    Raises:
        ValueError: A module cannot be used.
        ServerLost: A process died while it started.
    """

    def __init__(self, count: int, networks: Networks, *, modules: Sequence[str] = ()) -> None:
        self.networks = networks
        self.modules = tuple(modules)
        self.operations = load_operations(modules)
        self.turns = False
        self._threads = 1
        self._loaded: dict[str, None] = {}
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)
        self._directory = tempfile.TemporaryDirectory(prefix="pedbench-servers-", ignore_cleanup_errors=True)
        self._members: list[_Member] = []
        try:
            self._members = self._start(range(count))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> VirtualServers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._members)

    def call(self, server: int) -> Any:
        """The gRPC method of a server: raw bytes in, raw bytes out; has `future`."""
        return self._members[server].call

    def pids(self) -> list[int]:
        """Process ids, by server."""
        return [member.process.pid or 0 for member in self._members]

    def set_mode(self, *, turns: bool, threads: int) -> None:
        """Choose how servers share the host's cores.

        Args:
            turns: Let one server compute at a time, on the whole host.
            threads: Threads of each server.
        """
        self.turns, self._threads = turns, threads
        self._command(name="mode", turns=turns, threads=threads)

    def load(self, *weights: str) -> None:
        """Let every server load networks now, so that no pass has to wait for it."""
        for name in weights:
            self._command(name="load", weights=name)
            self._loaded[name] = None

    def collect(self, *, without: Collection[int] = ()) -> list[list[Tapped]]:
        """Fetch what every server received since `forget`, nothing from those that are left out."""
        return [
            [_tapped(message, data) for message, data in zip(answer.get("messages", ()), frames, strict=True)]
            for answer, frames in self._command(without, name="collect")
        ]

    def forget(self, *, without: Collection[int] = ()) -> None:
        """Let every server, but those that are left out, drop its wiretap."""
        self._command(without, name="forget")

    def kill(self, server: int) -> None:
        """End a server without warning, as a crash would."""
        self._members[server].process.kill()
        self._members[server].process.join()

    def restart_lost(self) -> tuple[int, ...]:
        """Start the servers anew that died.

        Returns:
            Their indices.
        """
        lost = tuple(index for index, member in enumerate(self._members) if not member.process.is_alive())
        for index, member in zip(lost, self._start(lost), strict=True):
            self._members[index].control.close()
            self._members[index].channel.close()
            self._members[index] = member
        if lost:
            self.set_mode(turns=self.turns, threads=self._threads)
            self.load(*self._loaded)
        return lost

    def close(self) -> None:
        """End all servers and remove what they spooled."""
        for member in self._members:
            member.control.close()
            member.channel.close()
        for member in self._members:
            member.process.join(timeout=5)
            if member.process.is_alive():
                member.process.kill()
                member.process.join()
        self._members = []
        self._directory.cleanup()

    def _start(self, servers: Sequence[int]) -> list[_Member]:
        started = []
        with contextlib.ExitStack() as unfinished:
            for server in servers:
                control, theirs = self._context.Pipe()
                unfinished.callback(control.close)
                directory = Path(tempfile.mkdtemp(prefix=f"{server}-", dir=self._directory.name))
                plan = ServerPlan(networks=self.networks, modules=self.modules, directory=directory)
                process = self._context.Process(
                    target=serve, args=(theirs, plan), name=f"server {server}", daemon=True
                )
                process.start()
                theirs.close()
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
            raise ServerLost(f"server {server} died while it started") from error
        if "error" in hello:
            raise ValueError(f"server {server} cannot start: {hello['error']}")
        expected = {name: source_hash(operation) for name, operation in self.operations.items()}
        expected |= codec_sources()
        if hello["operations"] != expected:
            changed = sorted(dict(hello["operations"].items() ^ expected.items()))
            raise ValueError(f"server {server} runs other code than this process for {changed}")
        channel = grpc.insecure_channel(f"127.0.0.1:{hello['port']}", options=CHANNEL_OPTIONS)
        return _Member(process=process, control=control, channel=channel, call=channel.unary_unary(METHOD))

    def _command(
        self, without: Collection[int] = (), **command: Any
    ) -> list[tuple[dict[str, Any], list[bytes]]]:
        """Send a command to all servers at once; gather the answers, and the messages that follow them.

        Args:
            without: Servers that are left out; their answers are empty.

        Raises:
            ServerLost: Some are gone; the others have obeyed, and can be commanded on. One that does not answer is
                ended.
            RuntimeError: A server could not obey.
        """
        message = json.dumps(command).encode()
        patience = _START_SECONDS if command["name"] == "load" else _COMMAND_SECONDS
        answers: list[tuple[dict[str, Any], list[bytes]]] = []
        lost = []
        for server, member in enumerate(self._members):
            if server in without:
                continue
            try:
                member.control.send_bytes(message)
            except OSError:
                lost.append(server)
        for server, member in enumerate(self._members):
            if server in lost:
                continue
            if server in without:
                answers.append(({}, []))
                continue
            try:
                if not member.control.poll(patience):
                    # An answer that comes later would be taken for another command's.
                    self.kill(server)
                    raise EOFError
                answer = json.loads(member.control.recv_bytes())
                answers.append((answer, [member.control.recv_bytes() for _ in answer.get("messages", ())]))
            except (EOFError, OSError):
                lost.append(server)
        if lost:
            raise ServerLost(f"servers {sorted(lost)} are gone")
        for server, (answer, _) in enumerate(answers):
            if "error" in answer:
                raise RuntimeError(f"server {server}: {answer['error']}")
        return answers


def _tapped(message: dict[str, Any], data: bytes) -> Tapped:
    metadata = tuple((key, value) for key, value in message.pop("metadata"))
    return Tapped(**message, metadata=metadata, data=data)
