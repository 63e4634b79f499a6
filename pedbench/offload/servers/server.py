"""One untrusted server: a process that computes operations over gRPC and keeps a wiretap.

Importing this module must open no channel and start no thread: the processes are forked after it was loaded.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc

from pedbench.base import Networks, Operation
from pedbench.offload.operations.builtin import load_operations, source_hash
from pedbench.offload.servers.handler import Handler
from pedbench.offload.servers.malloc import keep_freed_memory
from pedbench.offload.servers.rate_limits import Rate
from pedbench.offload.servers.wiretap import Wiretap
from pedbench.offload.wire.codec_labels import codec_sources
from pedbench.offload.wire.messages import CHANNEL_OPTIONS

# No other server may listen at the same port.
LISTEN_OPTIONS = [*CHANNEL_OPTIONS, ("grpc.so_reuseport", 0)]

RECEIVERS = 32
"""Messages that a server can receive while it computes another."""


@dataclass(frozen=True, kw_only=True)
class ServerPlan:
    """What a server process is started with.

    Attributes:
        networks: Loads the models.
        modules: Modules with further operations.
        directory: Where the wiretap spools; the server's own, it removes it at its end.
        payloads: Whether the wiretap keeps what messages hold, beside their lengths and digests.
    """

    networks: Networks
    modules: tuple[str, ...]
    directory: Path
    payloads: bool = True


def serve(connection: Connection, plan: ServerPlan) -> None:
    """Run a virtual server until the other end of the control connection closes, for whatever reason.

    Args:
        connection: Carries the commands of `Service.obey`, and what they are answered with.
        plan: What to serve.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    try:
        _serve(connection, plan)
    except (EOFError, OSError):
        pass
    finally:
        shutil.rmtree(plan.directory, ignore_errors=True)
        # The last server to go takes the common directory along, if the parent could not.
        with contextlib.suppress(OSError):
            plan.directory.parent.rmdir()
        # Threads that still compute must not keep the process.
        os._exit(0)


def _serve(connection: Connection, plan: ServerPlan) -> None:
    try:
        service = Service(plan)
    # The parent has to learn what is wrong with the modules it named.
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
    """What a server does, whoever runs it: it computes operations, keeps a wiretap and obeys the edge's commands.

    Args:
        plan: What to serve.

    Attributes:
        handler: Answers calls of any gRPC method.
        sources: Hash of the source of every operation and codec.
        rate: How many calls of another machine are looked at.

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
            wiretap=Wiretap(directory=plan.directory, payloads=plan.payloads),
        )

    def obey(self, command: bytes) -> Iterator[bytes]:
        """Carry out a command of the edge.

        Args:
            command: JSON with a `name`.

        Yields:
            JSON, with `error` if the command failed; then as many messages as that has in `messages`.
        """
        try:
            answer = self._obey(json.loads(command))
        # As with operations: the edge's to know, and the server lives on.
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
    """Hash of the source of these operations and of every codec: edge and servers must run the same."""
    return {name: source_hash(operation) for name, operation in operations.items()} | codec_sources()


def _json(**values: Any) -> bytes:
    return json.dumps(values).encode()
