"""The servers of a run, on this host or others: their calls, their commands and their end."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from typing_extensions import Self

from pedbench.base import Networks
from pedbench.offload.operations.builtin import load_operations
from pedbench.offload.servers.server import sources
from pedbench.offload.servers.wiretap import Tapped
from pedbench.types import Exchange

_LOAD_SECONDS = 120.0
_COMMAND_SECONDS = 30.0


class ServerLost(RuntimeError):
    """A server does not answer any more."""


class Control(Protocol):
    """A connection for commands to one server and its answers, as messages. Failures raise EOFError or OSError."""

    def send_bytes(self, message: bytes, /) -> None: ...

    def poll(self, timeout: float, /) -> bool: ...

    def recv_bytes(self) -> bytes: ...

    def close(self) -> None: ...


@dataclass(kw_only=True)
class Member:
    """The edge's connections to one server.

    Attributes:
        control: Connection for commands; see `Service.obey`.
        channel: Channel for calls.
        call: The gRPC method for calls, from bytes to bytes; its method `future` does not wait.
    """

    control: Control
    channel: grpc.Channel
    call: Any


class Servers(ABC):
    """Servers, each with a channel and a control connection. One pass at a time may use them.

    Args:
        networks: The edge's models.
        modules: Importable modules with further operations.

    Attributes:
        turns: Whether one server computes at a time.
    """

    def __init__(self, networks: Networks, modules: Sequence[str]) -> None:
        self.networks = networks
        self.modules = tuple(modules)
        self.operations = load_operations(modules)
        self.turns = False
        self._patience = _COMMAND_SECONDS
        self._members: Sequence[Member] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._members)

    def call(self, server: int) -> Any:
        """Return the gRPC method of a server, from bytes to bytes; its method `future` does not wait."""
        return self._members[server].call

    def collect(self, *, skip: Collection[int] = ()) -> list[list[Tapped]]:
        """Fetch the messages that each server recorded since `forget`; none from the servers in `skip`.

        Raises:
            ServerLost: A server is gone, or its answer is malformed.
        """
        answers = self._command(skip, name="collect")
        try:
            return [
                [
                    _tapped(message, data)
                    for message, data in zip(answer.get("messages", ()), frames, strict=True)
                ]
                for answer, frames in answers
            ]
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ServerLost(f"a server's record of its messages is malformed: {error}") from None

    def forget(self, *, skip: Collection[int] = ()) -> None:
        """Let every server drop its wiretap, except the servers in `skip`."""
        self._command(skip, name="forget")

    @abstractmethod
    def set_mode(self, *, turns: bool, threads: int) -> None:
        """Choose how servers on one host share its cores.

        Args:
            turns: Whether one server computes at a time, on the whole host.
            threads: Number of threads of each server.
        """

    @abstractmethod
    def kill(self, server: int) -> None:
        """Kill a server, or close the connection to it, without warning."""

    @abstractmethod
    def restore(self, *, doubtful: bool) -> None:
        """Replace the servers that are gone.

        Args:
            doubtful: Whether a pass failed, so that any server may still be computing; all are replaced then.

        Raises:
            ServerLost: A server cannot be replaced.
        """

    def on_edge_clock(self, rounds: Sequence[Sequence[Exchange]]) -> tuple[tuple[Exchange, ...], ...]:
        """Convert the servers' times to the edge's clock. On one host, both clocks are the same."""
        return tuple(tuple(exchanges) for exchanges in rounds)

    def close(self) -> None:
        """Close all connections."""
        for member in self._members:
            member.control.close()
            member.channel.close()
        self._members = ()

    def _check_sources(self, server: str, found: Mapping[str, str]) -> None:
        """Raise ValueError if the code of a server's operations or codecs differs from this process's."""
        expected = sources(self.operations)
        if dict(found) != expected:
            changed = sorted(dict(found.items() ^ expected.items()))
            raise ValueError(f"{server} runs other code than this process for {changed}")

    def _command(
        self, skip: Collection[int] = (), **command: Any
    ) -> list[tuple[dict[str, Any], list[bytes]]]:
        """Send a command to all servers at once.

        Args:
            skip: Servers that do not get the command.
            command: Name and arguments of the command; see `Service.obey`.

        Returns:
            Answer and further messages of each server; empty for servers in `skip`.

        Raises:
            ServerLost: Some servers are gone; all others have obeyed. A server that does not answer is killed.
            RuntimeError: A server reports an error.
        """
        message = json.dumps(command).encode()
        patience = _LOAD_SECONDS if command["name"] == "load" else self._patience
        answers: list[tuple[dict[str, Any], list[bytes]]] = []
        lost = []
        for server, member in enumerate(self._members):
            if server in skip:
                continue
            try:
                member.control.send_bytes(message)
            except OSError:
                lost.append(server)
        for server, member in enumerate(self._members):
            if server in lost:
                continue
            if server in skip:
                answers.append(({}, []))
                continue
            try:
                if not member.control.poll(patience):
                    # A late answer would be read as the answer to the next command.
                    self.kill(server)
                    raise EOFError
                answer = json.loads(member.control.recv_bytes())
                answers.append((answer, [member.control.recv_bytes() for _ in answer.get("messages", ())]))
            # Anything but a JSON object counts as no answer.
            except (EOFError, OSError, ValueError, TypeError, AttributeError):
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
