"""Servers on other machines, each started there with `pedbench serve`."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

import pedbench
from pedbench.base import Networks
from pedbench.offload.clocks import ClockOffset, estimate_offset, on_edge_clock
from pedbench.offload.gate import CONTROL, KEEPALIVE_OPTIONS
from pedbench.offload.servers import Member, Servers
from pedbench.offload.wire import CHANNEL_OPTIONS, METHOD
from pedbench.types import Exchange

_CONNECT_SECONDS = 10.0
_ECHOES = 16


@dataclass(frozen=True, kw_only=True)
class Remote:
    """How servers on other machines are reached, and what they must have.

    Attributes:
        addresses: Each as HOST:PORT.
        authority: PEM certificates that servers' own must be signed by; None for connections without TLS.
        model: Name of the family of networks.
        weights: sha256 of the weights files here, by the network's name.
        patience: Seconds that a command may take.
    """

    addresses: Sequence[str]
    authority: bytes | None
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
            with contextlib.suppress(EOFError, OSError):
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
        # A connection of its own, not what is left of an earlier one.
        options = [*CHANNEL_OPTIONS, *KEEPALIVE_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        if self._remote.authority is None:
            channel = grpc.insecure_channel(address, options=options)
        else:
            credentials = grpc.ssl_channel_credentials(self._remote.authority)
            channel = grpc.secure_channel(address, credentials, options=options)
        control = None
        try:
            try:
                grpc.channel_ready_future(channel).result(timeout=_CONNECT_SECONDS)
            except grpc.FutureTimeoutError:
                tls = "without TLS" if self._remote.authority is None else "with TLS"
                raise ConnectionError(
                    f"server {address} cannot be reached {tls} within {_CONNECT_SECONDS:.0f} s. Does `pedbench "
                    "serve` run there, is the port open, and do --tls-cert there and --tls-ca here belong together?"
                ) from None
            control = ControlStream(channel, self._remote.patience)
            try:
                hello = json.loads(control.recv_bytes())
            except (EOFError, TimeoutError) as error:
                raise ConnectionError(f"server {address} lets nobody in: {error}") from None
            self._check(address, hello)
        except BaseException:
            if control is not None:
                control.close()
            channel.close()
            raise
        self.facts.append({"address": address, **{k: v for k, v in hello.items() if k != "operations"}})
        return Member(control=control, channel=channel, call=channel.unary_unary(METHOD))

    def _check(self, address: str, hello: Mapping[str, Any]) -> None:
        where = f"server {address}"
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
            trips.append((sent, float(json.loads(answer)["now"]), time.monotonic()))
        return estimate_offset(trips)


class ControlStream:
    """Commands to one server and its answers, over a stream of its gRPC channel; see `servers.Control`."""

    def __init__(self, channel: grpc.Channel, patience: float) -> None:
        self._patience = patience
        self._commands: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._next: bytes | str | None = None
        self._answers: queue.SimpleQueue[bytes | str] = queue.SimpleQueue()
        method: Any = channel.stream_stream(CONTROL)
        self._call = method(iter(self._commands.get, None))
        threading.Thread(target=self._listen, name="commands", daemon=True).start()

    def send_bytes(self, message: bytes) -> None:
        """Send a command."""
        self._commands.put(message)

    def recv_bytes(self) -> bytes:
        """Wait for a message.

        Raises:
            EOFError: The server has gone, or closed the stream.
            TimeoutError: Nothing came for as long as a command may take.
        """
        if not self.poll(self._patience):
            raise TimeoutError(f"no answer within {self._patience:.0f} s")
        if isinstance(self._next, str):
            raise EOFError(self._next)
        found, self._next = self._next, None
        assert found is not None
        return found

    def poll(self, timeout: float) -> bool:
        """Wait so many seconds at most until there is something to receive, or the end of the stream."""
        if self._next is None:
            with contextlib.suppress(queue.Empty):
                self._next = self._answers.get(timeout=timeout)
        return self._next is not None

    def close(self) -> None:
        """End the stream; the server then forgets what it recorded."""
        self._commands.put(None)
        self._call.cancel()

    def _listen(self) -> None:
        end = "the stream of commands has ended"
        try:
            for message in self._call:
                self._answers.put(message)
        except grpc.RpcError as error:
            with contextlib.suppress(AttributeError):
                end = error.details() or end
        self._answers.put(end)
