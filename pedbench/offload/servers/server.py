"""One untrusted server: a process that computes operations over gRPC and keeps a wiretap.

Importing this module must open no channel and start no thread, because server processes are forked afterwards.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import grpc

from pedbench.base import Networks, Operation
from pedbench.host.processes import keep_freed_memory
from pedbench.offload.operations.builtin import load_operations, source_hash
from pedbench.offload.servers.handler import Handler
from pedbench.offload.servers.rate_limits import Rate
from pedbench.offload.servers.wiretap import Wiretap
from pedbench.offload.wire.codec_labels import codec_sources
from pedbench.offload.wire.messages import CHANNEL_OPTIONS

# No other server may listen at the same port.
LISTEN_OPTIONS = [*CHANNEL_OPTIONS, ("grpc.so_reuseport", 0)]

RECEIVERS = 32
"""Number of messages that a server can receive at the same time."""


@dataclass(frozen=True, kw_only=True)
class ServerPlan:
    """The configuration of a server process.

    Attributes:
        networks: The models.
        modules: Importable modules with further operations.
        payloads: Whether the wiretap keeps the messages' bytes besides lengths and digests.
    """

    networks: Networks
    modules: tuple[str, ...]
    payloads: bool = True


def serve(connection: Connection, plan: ServerPlan) -> None:
    """Run a virtual server until the other end of the control connection closes.

    Args:
        connection: Control connection, for the commands of `Service.obey` and their answers.
        plan: The server's configuration.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    try:
        _serve(connection, plan)
    except (EOFError, OSError):
        pass
    finally:
        # Threads that are still computing must not keep the process alive.
        os._exit(0)


def _serve(connection: Connection, plan: ServerPlan) -> None:
    try:
        service = Service(plan)
    # The parent reports the error of a module.
    except Exception as problem:
        connection.send_bytes(_json(error=f"{type(problem).__name__}: {problem}"))
        return
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=RECEIVERS), handlers=[service.handler], options=LISTEN_OPTIONS
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    connection.send_bytes(_json(port=port, operations=service.sources))
    while True:
        for frame in service.obey(connection.recv_bytes()):
            connection.send_bytes(frame)


class Service:
    """A server without its gRPC port: it computes operations, keeps a wiretap and obeys the edge's commands.

    Args:
        plan: The server's configuration.

    Attributes:
        handler: Handler of all gRPC calls.
        sources: Source hash of each operation and codec, by name.
        rate: Rate limit for calls from other machines.

    Raises:
        ValueError: A module cannot be used.
    """

    def __init__(self, plan: ServerPlan) -> None:
        operations = load_operations(plan.modules)
        self.sources = sources(operations)
        self.rate = Rate()
        self.handler = Handler(
            networks=plan.networks,
            operations=operations,
            wiretap=Wiretap(payloads=plan.payloads),
        )

    def obey(self, command: bytes) -> Iterator[bytes]:
        """Execute a command of the edge.

        Args:
            command: JSON object with the command's `name` and arguments.

        Yields:
            A JSON object, with `error` if the command failed; then the bytes of each entry of its `messages`.
        """
        try:
            answer = self._obey(json.loads(command))
        # The edge gets any error, and the server goes on.
        except Exception as problem:
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        frames = answer.pop("frames", [])
        yield _json(**answer)
        yield from frames

    def _obey(self, command: Mapping[str, Any]) -> dict[str, Any]:
        match command:
            case {"name": "mode", "turns": turns, "threads": threads}:
                self.handler.turns, self.handler.threads = turns, threads
            case {"name": "load", "weights": weights}:
                self.handler.networks.network(weights)
            case {"name": "clock"}:
                return {"now": time.monotonic()}
            case {"name": "collect"}:
                with self.handler.lock:
                    wiretap = self.handler.wiretap
                    return {"messages": wiretap.describe(), "frames": wiretap.contents()}
            case {"name": "forget"}:
                with self.handler.lock:
                    self.handler.wiretap.forget()
            case _:
                raise ValueError(f"unknown command {command}")
        return {}


def sources(operations: Mapping[str, Operation]) -> dict[str, str]:
    """Return the source hashes of operations and of all codecs, by name. Edge and servers must run the same code."""
    return {name: source_hash(operation) for name, operation in operations.items()} | codec_sources()


def _json(**values: Any) -> bytes:
    return json.dumps(values).encode()
