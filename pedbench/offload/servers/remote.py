"""Servers on other machines, each started with `pedbench serve`."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import grpc

import pedbench
from pedbench.base import Networks
from pedbench.network.addresses import parse_address
from pedbench.network.certificates import Identity
from pedbench.network.clock_offset import ClockOffset, estimate_offset, on_edge_clock
from pedbench.network.tls_probe import check_handshake
from pedbench.offload.servers.control_stream import ControlStream
from pedbench.offload.servers.fleet import Member, ServerLost, Servers
from pedbench.offload.servers.remote_server import JOB, KEEPALIVE_OPTIONS
from pedbench.offload.wire.messages import CHANNEL_OPTIONS, METHOD
from pedbench.types import Exchange

_CONNECT_SECONDS = 10.0
_CLOCK_SAMPLES = 16
"""Round trips from which a server's clock offset is estimated."""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """Addresses of servers on other machines, and the model that they must have.

    Attributes:
        addresses: HOST:PORT of each server.
        identity: The edge's certificates with the servers' authority; None for connections without TLS.
        model: Name of the model family.
        weights: SHA-256 of the weights files on this machine, by the network's name.
        patience: Seconds that a command may take.
    """

    addresses: Sequence[str]
    identity: Identity | None
    model: str
    weights: Mapping[str, str]
    patience: float = 120.0


class RemoteServers(Servers):
    """Servers on other machines, whose code and weights are compared with this machine's when they connect.

    They compute concurrently on their own devices.

    Args:
        remote: Addresses and required model.
        networks: The edge's models.
        modules: Importable modules with further operations.

    Attributes:
        facts: Each server's description of itself and its machine.
        offsets: Offset of each server's clock from the edge's, measured by the last `restore`.

    Raises:
        ValueError: A server has another version of pedbench, other operations or codecs, or other weights.
        ConnectionError: A server cannot be reached.
    """

    def __init__(self, remote: Remote, networks: Networks, *, modules: Sequence[str] = ()) -> None:
        super().__init__(networks, modules)
        self._remote = remote
        self._patience = min(self._patience, remote.patience)
        self.facts: list[dict[str, Any]] = []
        self.offsets: list[ClockOffset] = []
        self.restore(doubtful=True)

    @property
    def described(self) -> list[dict[str, Any]]:
        """The facts of each server, with the offset of its clock."""
        return [
            {**facts, "clock_offset": asdict(offset)}
            for facts, offset in zip(self.facts, self.offsets, strict=True)
        ]

    def set_mode(self, *, turns: bool, threads: int) -> None:
        """Check the mode: servers on other machines choose their own threads.

        Raises:
            ValueError: `turns` is true.
        """
        if turns:
            raise ValueError("servers on other machines do not take turns")

    def kill(self, server: int) -> None:
        """Disconnect from a server: it drops its wiretap, and admits no edge until it has finished computing."""
        self._members[server].control.close()

    def restore(self, *, doubtful: bool) -> None:
        """Measure the clock offsets again. Reconnect before if a pass failed or a server is gone."""
        if not doubtful:
            with contextlib.suppress(EOFError, OSError, ServerLost):
                self.offsets = [self._offset(server) for server in range(len(self))]
                return
        self.close()
        self.facts = []
        try:
            for address in self._remote.addresses:
                self._members = [*self._members, self._connect(address)]
        except BaseException:
            self.close()
            raise
        self.offsets = [self._offset(server) for server in range(len(self))]

    def on_edge_clock(self, rounds: Sequence[Sequence[Exchange]]) -> tuple[tuple[Exchange, ...], ...]:
        return tuple(
            tuple(on_edge_clock(exchange, self.offsets[exchange.server]) for exchange in exchanges)
            for exchanges in rounds
        )

    def _connect(self, address: str) -> Member:
        identity = self._remote.identity
        check_handshake(address, *parse_address(address, "--servers"), identity, _CONNECT_SECONDS)
        # gRPC must not reuse an earlier connection to the same address.
        options = [*CHANNEL_OPTIONS, *KEEPALIVE_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        if identity is None:
            channel = grpc.insecure_channel(address, options=options)
        else:
            credentials = grpc.ssl_channel_credentials(identity.authority, identity.key, identity.certificate)
            channel = grpc.secure_channel(address, credentials, options=options)
        control = None
        try:
            try:
                grpc.channel_ready_future(channel).result(timeout=_CONNECT_SECONDS)
            except grpc.FutureTimeoutError:
                raise ConnectionError(
                    f"server {address} accepts connections, but does not answer within {_CONNECT_SECONDS:.0f} s."
                ) from None
            control = ControlStream(channel, self._remote.patience)
            try:
                hello = json.loads(control.recv_bytes())
            except (EOFError, TimeoutError) as error:
                raise ConnectionError(f"server {address} admits nobody: {error}") from None
            except ValueError:
                hello = None
            self._check(address, hello)
        except BaseException:
            if control is not None:
                control.close()
            channel.close()
            raise
        facts = {key: value for key, value in hello.items() if key not in ("operations", "job")}
        self.facts.append({"address": address, **facts})
        call = JobCall(channel.unary_unary(METHOD), hello["job"])
        return Member(control=control, channel=channel, call=call)

    def _check(self, address: str, hello: Any) -> None:
        server = f"server {address}"
        kinds = {"version": str, "model": str, "weights": dict, "operations": dict, "job": str}
        if not isinstance(hello, dict) or not all(
            isinstance(hello.get(k), kind) for k, kind in kinds.items()
        ):
            raise ValueError(f"{server} does not answer like `pedbench serve`.")
        if hello["version"] != pedbench.__version__:
            raise ValueError(
                f"{server} runs pedbench {hello['version']}, this machine {pedbench.__version__}: install the same."
            )
        if hello["model"] != self._remote.model:
            raise ValueError(
                f"{server} serves the model {hello['model']}, expected {self._remote.model}: "
                f"start it with --model {self._remote.model}."
            )
        self._check_sources(server, hello["operations"])
        weights = hello["weights"]
        different = sorted(name for name, sha in self._remote.weights.items() if weights.get(name) != sha)
        if different:
            raise ValueError(
                f"{server} has other weights than this machine for {', '.join(different)}: give both the same files."
            )

    def _offset(self, server: int) -> ClockOffset:
        control = self._members[server].control
        trips = []
        command = json.dumps({"name": "clock"}).encode()
        for _ in range(_CLOCK_SAMPLES):
            sent = time.monotonic()
            control.send_bytes(command)
            answer = control.recv_bytes()
            received = time.monotonic()
            try:
                trips.append((sent, float(json.loads(answer)["now"]), received))
            except (ValueError, TypeError, KeyError):
                raise ServerLost(f"server {server} does not answer with its clock's time") from None
        return estimate_offset(trips)


@dataclass(frozen=True)
class JobCall:
    """The gRPC method for calls, which sends the edge's job token with each call."""

    method: Any
    job: str = field(repr=False)

    def future(self, data: bytes, timeout: float) -> Any:
        """Start a call without waiting for the reply; `timeout` is in seconds."""
        return self.method.future(data, timeout=timeout, metadata=((JOB, self.job),))
