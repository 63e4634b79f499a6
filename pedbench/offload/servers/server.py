"""One untrusted server: a process that computes operations over gRPC and keeps a wiretap.

Importing this module must open no channel and start no thread: the processes are forked after it was loaded.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
import torch

from pedbench.base import Networks, Operation
from pedbench.host.determinism import without_onednn
from pedbench.offload.operations.builtin import load_operations, source_hash
from pedbench.offload.servers.malloc import keep_freed_memory
from pedbench.offload.servers.rate_limits import Rate
from pedbench.offload.servers.wiretap import Wiretap, WiretapFull
from pedbench.offload.wire.codec_labels import Coded, code, codec_sources
from pedbench.offload.wire.messages import (
    CHANNEL_OPTIONS,
    METHOD,
    Answer,
    WireError,
    check_call,
    check_payload,
    decode_call,
    encode_answer,
)
from pedbench.types import Payload

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


@dataclass(kw_only=True)
class Handler(grpc.GenericRpcHandler):
    """Takes raw bytes, spools them, computes, and returns raw bytes; one call at a time."""

    networks: Networks
    operations: Mapping[str, Operation]
    wiretap: Wiretap
    threads: int = 1
    turns: bool = False
    computing: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    compute: futures.ThreadPoolExecutor = field(
        default_factory=lambda: futures.ThreadPoolExecutor(max_workers=1)
    )

    def service(self, call_details: Any) -> Any:
        # Any method is answered, so that none can be called past the wiretap.
        return grpc.unary_unary_rpc_method_handler(
            lambda data, context: self.receive(
                call_details.method, context.invocation_metadata(), data, context
            )
        )

    def receive(self, method: str, metadata: Any, data: bytes, context: Any) -> bytes:
        """Keep a message, compute what it asks for, and reply."""
        received = time.monotonic()
        # Messages come in while others are computed, one after the other in the order of their arrival.
        with self.lock:
            try:
                number = self.wiretap.spool(method, metadata, received, data)
            except WiretapFull as error:
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
            answering = self.compute.submit(self._answer, method, data, received)
        reply = answering.result()
        with self.lock:
            self.wiretap.answered(number, reply)
        return reply

    def _answer(self, method: str, data: bytes, received: float) -> bytes:
        with _turn() if self.turns else contextlib.nullcontext():
            self.computing = True
            started = time.monotonic()
            payload: Payload = {}
            coded: dict[str, Coded] = {}
            error = f"unknown method {method!r}" if method != METHOD else ""
            if not error:
                try:
                    payload, coded = self._compute(data)
                # Whatever an operation raises is the caller's to know; the server lives on.
                except Exception as problem:
                    error = f"{type(problem).__name__}: {problem}"
            finished = time.monotonic()
            self.computing = False
        answer = Answer(payload=payload, error=error, received=received, started=started, finished=finished)
        return encode_answer(answer, coded)

    def _compute(self, data: bytes) -> tuple[Payload, dict[str, Coded]]:
        call = decode_call(data)
        if call.operation not in self.operations:
            raise WireError(f"unknown operation {call.operation!r}; known: {', '.join(self.operations)}")
        operation = self.operations[call.operation]
        check_call(call, operation)
        # The number of threads belongs to the calling thread.
        torch.set_num_threads(self.threads)
        with without_onednn(self.networks.exact), torch.inference_mode():
            payload = operation.run(call.payload, call.arguments, self.networks)
        check_payload(payload, operation.reply, f"reply of {operation.name}")
        written = payload.items() if call.reply else ()
        return payload, {name: code(array, call.reply, operation.reply[name]) for name, array in written}


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


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """Hold the host-wide right to compute; the system takes it back from a process that dies."""
    path = Path(tempfile.gettempdir()) / f"pedbench-turn-{os.getuid()}.lock"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
