"""A server for an edge on another machine: one port, for the calls that the wiretap records and for commands.

The commands are those of `Service.obey`, over a stream that lasts as long as the edge stays. One edge at a time has it.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc

from pedbench.network.certificates import EDGE, Identity
from pedbench.offload.servers.rate_limits import CONCURRENT_CALLS
from pedbench.offload.servers.server import LISTEN_OPTIONS, RECEIVERS, Service
from pedbench.offload.servers.wiretap import WiretapFull

CONTROL = "/pedbench.Server/Control"

JOB = "pedbench-job"
"""Metadata of every call: the token that the server gave the edge when it came in, good until that leaves."""

COMMANDS = ("clock", "collect", "forget")
"""What an edge on another machine may command."""

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
        facts: What the first message on the stream of commands tells the edge.
        secure: Whether peers show certificates; only an edge's is let in.
    """

    inside: Service
    facts: Mapping[str, Any]
    secure: bool
    _taken: threading.Lock = field(default_factory=threading.Lock)
    _job: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def service(self, call_details: Any) -> Any:
        if call_details.method == CONTROL:
            return grpc.stream_stream_rpc_method_handler(self._control)
        method = call_details.method
        return grpc.unary_unary_rpc_method_handler(lambda data, context: self._call(method, data, context))

    def _call(self, method: str, data: bytes, context: Any) -> bytes:
        self._admit(context)
        if not self._taken.locked():
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no edge has come in by way of the commands")
        metadata = list(context.invocation_metadata())
        tokens = [value for key, value in metadata if key == JOB]
        if len(tokens) != 1 or not hmac.compare_digest(tokens[0].encode(), self._job.encode()):
            # The edge that is served learns of it, and of whatever came along.
            self._note(method, [pair for pair in metadata if pair[0] != JOB], data)
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "the call does not belong to the edge's job")
        # It says nothing but what this server said before.
        declared = [pair for pair in metadata if pair[0] != JOB]
        return self.inside.handler.receive(method, declared, data, context)

    def _control(self, commands: Iterator[bytes], context: Any) -> Iterator[bytes]:
        self._admit(context)
        handler = self.inside.handler
        if not self._taken.acquire(blocking=False):
            # Whatever came along with it is on record, as something that the edge cannot explain.
            self._note(CONTROL, context.invocation_metadata(), b"")
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "another edge uses this server")
        if not context.add_callback(self._leave):
            self._leave()
            return
        if handler.computing:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the server still computes for an edge that has left")
        self._job = secrets.token_hex(16)
        yield json.dumps({"operations": self.inside.sources, "job": self._job, **self.facts}).encode()
        for command in commands:
            yield from self._obey(command)

    def _admit(self, context: Any) -> None:
        if not self.inside.rate.allow():
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls in a second")
        if self.secure and EDGE.encode() not in context.auth_context().get("x509_common_name", ()):
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "only an edge is let in")

    def _obey(self, command: bytes) -> Iterator[bytes]:
        try:
            allowed = json.loads(command)["name"] in COMMANDS
        except (ValueError, TypeError, KeyError, RecursionError):
            allowed = False
        if allowed:
            yield from self.inside.obey(command)
        else:
            yield json.dumps({"error": f"expected one of the commands {', '.join(COMMANDS)}"}).encode()

    def _note(self, method: str, metadata: Any, data: bytes) -> None:
        with self.inside.handler.lock:
            try:
                self.inside.handler.wiretap.spool(method, metadata, time.monotonic(), data)
            except WiretapFull:
                return

    def _leave(self) -> None:
        # The token of the edge that has gone is good for nothing.
        self._job = secrets.token_hex(16)
        with self.inside.handler.lock:
            self.inside.handler.wiretap.forget()
        self._taken.release()


def credentials(identity: Identity) -> grpc.ServerCredentials:
    """TLS by which a server shows its certificate, and wants to see one of the same authority."""
    return grpc.ssl_server_credentials(
        [(identity.key, identity.certificate)],
        root_certificates=identity.authority,
        require_client_auth=True,
    )


def listen(
    service: Service,
    host: str,
    port: int,
    facts: Mapping[str, Any],
    identity: Identity | None = None,
) -> tuple[grpc.Server, int]:
    """Start to serve.

    Args:
        service: What the edge gets.
        host: Address of this machine to listen at.
        port: 0 for any that is free.
        facts: What the edge is told of this server beside the hashes of its sources.
        identity: The server's certificates; None to speak without TLS.

    Returns:
        The server and its port.

    Raises:
        OSError: The address cannot be listened at.
    """
    server = grpc.server(
        # One of them for the commands.
        futures.ThreadPoolExecutor(max_workers=RECEIVERS + 1),
        handlers=[Gate(inside=service, facts=facts, secure=identity is not None)],
        options=[*LISTEN_OPTIONS, *KEEPALIVE_OPTIONS],
        maximum_concurrent_rpcs=CONCURRENT_CALLS,
    )
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = (
            server.add_secure_port(address, credentials(identity))
            if identity
            else server.add_insecure_port(address)
        )
    except RuntimeError:
        bound = 0
    if not bound:
        raise OSError(
            f"cannot listen at {address}: another program may have the port, or this machine not the address."
        )
    server.start()
    return server, bound
