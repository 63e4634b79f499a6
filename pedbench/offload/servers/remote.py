"""Servers on other machines, each started there with `pedbench serve`."""

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
_ECHOES = 16


@dataclass(frozen=True, kw_only=True)
class Remote:
    """How servers on other machines are reached, and what they must have.

    Attributes:
        addresses: Each as HOST:PORT.
        identity: The edge's certificates, and the authority of the servers' own; None for connections without TLS.
        model: Name of the family of networks.
        weights: sha256 of the weights files here, by the network's name.
        patience: Seconds that a command may take.
    """

    addresses: Sequence[str]
    identity: Identity | None
    model: str
    weights: Mapping[str, str]
    patience: float = 120.0


class RemoteServers(Servers):
    """Servers on other machines, compared with this one when they are connected.

    They compute on devices of their own, all at once.

    Args:
        remote: How they are reached.
        networks: The edge's models.
        modules: Importable modules with further operations.

    Attributes:
        facts: What each says of itself and its machine.
        offsets: How far each one's clock is ahead, as of the last `restore`.

    Raises:
        ValueError: A server runs another version, other operations or codecs, or has other weights.
        ConnectionError: One cannot be reached.
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
        """The facts of each server, with what is known of its clock."""
        return [
            {**facts, "clock_offset": asdict(offset)}
            for facts, offset in zip(self.facts, self.offsets, strict=True)
        ]

    def set_mode(self, *, turns: bool, threads: int) -> None:
        """Nothing to choose: every server has a machine of its own.

        Raises:
            ValueError: They are to take turns.
        """
        if turns:
            raise ValueError("servers on machines of their own do not take turns")

    def kill(self, server: int) -> None:
        """Leave a server: it forgets what it recorded, and lets nobody in while it computes."""
        self._members[server].control.close()

    def restore(self, *, doubtful: bool) -> None:
        """Read the servers' clocks again. Connect anew first after a doubtful pass, or if one is gone."""
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
        # A connection of its own, not what is left of an earlier one.
        options = [*CHANNEL_OPTIONS, *KEEPALIVE_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        if identity is None:
            channel = grpc.insecure_channel(address, options=options)
        else:
            shown = grpc.ssl_channel_credentials(identity.authority, identity.key, identity.certificate)
            channel = grpc.secure_channel(address, shown, options=options)
        control = None
        try:
            try:
                grpc.channel_ready_future(channel).result(timeout=_CONNECT_SECONDS)
            except grpc.FutureTimeoutError:
                raise ConnectionError(
                    f"server {address} cannot be reached within {_CONNECT_SECONDS:.0f} s, and answered before."
                ) from None
            control = ControlStream(channel, self._remote.patience)
            try:
                hello = json.loads(control.recv_bytes())
            except (EOFError, TimeoutError) as error:
                raise ConnectionError(f"server {address} lets nobody in: {error}") from None
            except ValueError:
                hello = None
            self._check(address, hello)
        except BaseException:
            if control is not None:
                control.close()
            channel.close()
            raise
        told = {key: value for key, value in hello.items() if key not in ("operations", "job")}
        self.facts.append({"address": address, **told})
        call = JobCall(channel.unary_unary(METHOD), hello["job"])
        return Member(control=control, channel=channel, call=call)

    def _check(self, address: str, hello: Any) -> None:
        where = f"server {address}"
        kinds = {"version": str, "model": str, "weights": dict, "operations": dict, "job": str}
        if not isinstance(hello, dict) or not all(
            isinstance(hello.get(k), kind) for k, kind in kinds.items()
        ):
            raise ValueError(f"{where} does not introduce itself as `pedbench serve` does.")
        if hello["version"] != pedbench.__version__:
            raise ValueError(
                f"{where} runs pedbench {hello['version']}, this machine {pedbench.__version__}: install the same."
            )
        if hello["model"] != self._remote.model:
            raise ValueError(
                f"{where} serves the model {hello['model']}, wanted is {self._remote.model}: "
                f"start it with --model {self._remote.model}."
            )
        self._check_sources(where, hello["operations"])
        there = hello["weights"]
        other = sorted(name for name, sha in self._remote.weights.items() if there.get(name) != sha)
        if other:
            raise ValueError(
                f"{where} has other weights than this machine for {', '.join(other)}: give both the same files."
            )

    def _offset(self, server: int) -> ClockOffset:
        control = self._members[server].control
        trips = []
        command = json.dumps({"name": "clock"}).encode()
        for _ in range(_ECHOES):
            sent = time.monotonic()
            control.send_bytes(command)
            answer = control.recv_bytes()
            received = time.monotonic()
            try:
                trips.append((sent, float(json.loads(answer)["now"]), received))
            except (ValueError, TypeError, KeyError):
                raise ServerLost(f"server {server} does not say what its clock shows") from None
        return estimate_offset(trips)


@dataclass(frozen=True)
class JobCall:
    """A gRPC method whose calls show that they belong to the edge's job."""

    method: Any
    job: str = field(repr=False)

    def future(self, data: bytes, timeout: float) -> Any:
        """Call, without waiting for the reply."""
        return self.method.future(data, timeout=timeout, metadata=((JOB, self.job),))
