"""A server for an edge on another machine, with one port for calls, which the wiretap records, and for commands.

Commands are some of those of `Service.obey`, sent over a gRPC stream. One edge at a time can hold this stream.
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
"""Metadata key of every call: the token that the server gave to its edge, valid until the edge leaves."""

COMMANDS = ("clock", "collect", "forget")
"""Commands that an edge on another machine may send."""

KEEPALIVE_OPTIONS = [
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
]
"""Settings with which each end notices within 20 s that the other is gone, even during a long call."""


@dataclass(kw_only=True)
class Gate(grpc.GenericRpcHandler):
    """Access control of a server: admits one edge at a time.

    Attributes:
        inside: The service that an admitted edge uses.
        facts: Facts about the server for its first message on the stream of commands.
        secure: Whether peers show certificates; only those of an edge are admitted then.
    """

    inside: Service
    facts: Mapping[str, Any]
    secure: bool
    _occupied: threading.Lock = field(default_factory=threading.Lock)
    _job: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def service(self, call_details: Any) -> Any:
        if call_details.method == CONTROL:
            return grpc.stream_stream_rpc_method_handler(self._control)
        method = call_details.method
        return grpc.unary_unary_rpc_method_handler(lambda data, context: self._call(method, data, context))

    def _call(self, method: str, data: bytes, context: Any) -> bytes:
        self._admit(context)
        if not self._occupied.locked():
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no edge has opened the stream of commands")
        metadata = list(context.invocation_metadata())
        tokens = [value for key, value in metadata if key == JOB]
        if len(tokens) != 1 or not hmac.compare_digest(tokens[0].encode(), self._job.encode()):
            # The admitted edge must see the message, because it may carry content.
            self._note(method, [pair for pair in metadata if pair[0] != JOB], data)
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "the call does not belong to the edge's job")
        # The token is removed: it carries nothing that this server did not send itself.
        declared = [pair for pair in metadata if pair[0] != JOB]
        return self.inside.handler.receive(method, declared, data, context)

    def _control(self, commands: Iterator[bytes], context: Any) -> Iterator[bytes]:
        self._admit(context)
        handler = self.inside.handler
        if not self._occupied.acquire(blocking=False):
            # The admitted edge must see the metadata, because it may carry content.
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
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "only an edge is admitted")

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
        # A new token makes that of the edge that has left invalid.
        self._job = secrets.token_hex(16)
        with self.inside.handler.lock:
            self.inside.handler.wiretap.forget()
        self._occupied.release()


def credentials(identity: Identity) -> grpc.ServerCredentials:
    """Return credentials for TLS in which both ends show certificates of the same authority."""
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
    """Start serving.

    Args:
        host: Address of this machine to listen at.
        port: Port to listen at; 0 for any free one.
        facts: Facts about the server that the edge gets besides the source hashes.
        identity: The server's certificates; None for connections without TLS.

    Returns:
        The server and its port.

    Raises:
        OSError: The address is in use or does not belong to this machine.
    """
    server = grpc.server(
        # One thread is for the stream of commands.
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
            f"cannot listen at {address}: another program uses the port, or this machine lacks the address."
        )
    server.start()
    return server, bound
