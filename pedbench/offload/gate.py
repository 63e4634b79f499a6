"""A server for an edge on another machine: one port, for the calls that the wiretap records and for commands.

The commands are those of `Service.obey`, over a stream that lasts as long as the edge stays. One edge at a time has it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc

from pedbench.offload.server import LISTEN_OPTIONS, RECEIVERS, Service

CONTROL = "/pedbench.Server/Control"

KEEPALIVE_OPTIONS = [
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
]
"""Both ends notice within 20 s that the other one is gone, however long a call computes."""


@dataclass(kw_only=True)
class Gate(grpc.GenericRpcHandler):
    """Lets one edge in at a time.

    Attributes:
        inside: What the edge gets.
        hello: The first message on the stream of commands.
    """

    inside: Service
    hello: bytes
    _taken: threading.Lock = field(default_factory=threading.Lock)

    def service(self, call_details: Any) -> Any:
        if call_details.method == CONTROL:
            return grpc.stream_stream_rpc_method_handler(self._control)
        if not self._taken.locked():
            return grpc.unary_unary_rpc_method_handler(_refuse)
        return self.inside.handler.service(call_details)

    def _control(self, commands: Iterator[bytes], context: Any) -> Iterator[bytes]:
        handler = self.inside.handler
        if not self._taken.acquire(blocking=False):
            # Whatever came along with it is on record, as something that the edge cannot explain.
            with handler.lock:
                handler.wiretap.spool(CONTROL, context.invocation_metadata(), time.monotonic(), b"")
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "another edge uses this server")
        if not context.add_callback(self._leave):
            self._leave()
            return
        if handler.computing:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the server still computes for an edge that has left")
        yield self.hello
        for command in commands:
            yield from self.inside.obey(command)

    def _leave(self) -> None:
        with self.inside.handler.lock:
            self.inside.handler.wiretap.forget()
        self._taken.release()


def _refuse(data: bytes, context: Any) -> bytes:
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no edge has come in by way of the commands")
    return b""


def listen(
    service: Service,
    host: str,
    port: int,
    facts: Mapping[str, Any],
    credentials: grpc.ServerCredentials | None = None,
) -> tuple[grpc.Server, int]:
    """Start to serve.

    Args:
        service: What the edge gets.
        host: Address of this machine to listen at.
        port: 0 for any that is free.
        facts: What the edge is told of this server beside the hashes of its sources.
        credentials: For TLS.

    Returns:
        The server and its port.

    Raises:
        OSError: The address cannot be listened at.
    """
    hello = json.dumps({"operations": service.sources, **facts}).encode()
    server = grpc.server(
        # One of them for the commands.
        futures.ThreadPoolExecutor(max_workers=RECEIVERS + 1),
        handlers=[Gate(inside=service, hello=hello)],
        options=[*LISTEN_OPTIONS, *KEEPALIVE_OPTIONS],
    )
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = (
            server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        )
    except RuntimeError:
        bound = 0
    if not bound:
        raise OSError(
            f"cannot listen at {address}: another program may have the port, or this machine not the address."
        )
    server.start()
    return server, bound
