"""The servers of a run, wherever they are: how they are called, commanded and let go."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import grpc

from pedbench.base import Networks
from pedbench.offload.operations.builtin import load_operations
from pedbench.offload.servers.server import sources
from pedbench.offload.servers.wiretap import Tapped
from pedbench.types import Exchange

_LOAD_SECONDS = 120.0
_COMMAND_SECONDS = 30.0


class ServerLost(RuntimeError):
    """A server that does not answer any more."""


class Control(Protocol):
    """A connection that carries commands to one server and answers back, message by message.

    What fails raises EOFError or OSError.
    """

    def send_bytes(self, message: bytes, /) -> None: ...

    def poll(self, timeout: float, /) -> bool: ...

    def recv_bytes(self) -> bytes: ...

    def close(self) -> None: ...


@dataclass(kw_only=True)
class Member:
    """One server as the edge holds it.

    Attributes:
        control: Carries commands; see `Service.obey`.
        call: The gRPC method: raw bytes in, raw bytes out; has `future`.
    """

    control: Control
    channel: grpc.Channel
    call: Any


class Servers(ABC):
    """Servers with a channel and a control connection each. One pass at a time may use them.

    Args:
        networks: The models of the edge.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._members)

    def call(self, server: int) -> Any:
        """The gRPC method of a server: raw bytes in, raw bytes out; has `future`."""
        return self._members[server].call

    def collect(self, *, without: Collection[int] = ()) -> list[list[Tapped]]:
        """Fetch what every server received since `forget`, nothing from those that are left out.

        Raises:
            ServerLost: One is gone, or tells of something else than messages.
        """
        told = self._command(without, name="collect")
        try:
            return [
                [
                    _tapped(message, data)
                    for message, data in zip(answer.get("messages", ()), frames, strict=True)
                ]
                for answer, frames in told
            ]
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ServerLost(f"a server does not tell what it received: {error}") from None

    def forget(self, *, without: Collection[int] = ()) -> None:
        """Let every server, but those that are left out, drop its wiretap."""
        self._command(without, name="forget")

    @abstractmethod
    def set_mode(self, *, turns: bool, threads: int) -> None:
        """Choose how servers on one host share its cores.

        Args:
            turns: Let one server compute at a time, on the whole host.
            threads: Threads of each server.
        """

    @abstractmethod
    def kill(self, server: int) -> None:
        """End a server, or the connection to it, without warning."""

    @abstractmethod
    def restore(self, *, doubtful: bool) -> None:
        """Replace the servers that are gone.

        Args:
            doubtful: Whether a pass failed, so that any of them may compute on for ever.

        Raises:
            ServerLost: One cannot be had again.
        """

    def on_edge_clock(self, rounds: Sequence[Sequence[Exchange]]) -> tuple[tuple[Exchange, ...], ...]:
        """Exchanges with the servers' times on the clock of the edge, which on one host is theirs."""
        return tuple(tuple(exchanges) for exchanges in rounds)

    def close(self) -> None:
        """Let all servers go."""
        for member in self._members:
            member.control.close()
            member.channel.close()
        self._members = ()

    def _check_sources(self, server: str, found: Mapping[str, str]) -> None:
        """Refuse a server whose operations or codecs are others than those here."""
        expected = sources(self.operations)
        if dict(found) != expected:
            changed = sorted(dict(found.items() ^ expected.items()))
            raise ValueError(f"{server} runs other code than this process for {changed}")

    def _command(
        self, without: Collection[int] = (), **command: Any
    ) -> list[tuple[dict[str, Any], list[bytes]]]:
        """Send a command to all servers at once; gather the answers, and the messages that follow them.

        Args:
            without: Servers that are left out; their answers are empty.

        Raises:
            ServerLost: Some are gone; the others have obeyed, and can be commanded on. One that does not answer is
                ended.
            RuntimeError: A server could not obey.
        """
        message = json.dumps(command).encode()
        patience = _LOAD_SECONDS if command["name"] == "load" else self._patience
        answers: list[tuple[dict[str, Any], list[bytes]]] = []
        lost = []
        for server, member in enumerate(self._members):
            if server in without:
                continue
            try:
                member.control.send_bytes(message)
            except OSError:
                lost.append(server)
        for server, member in enumerate(self._members):
            if server in lost:
                continue
            if server in without:
                answers.append(({}, []))
                continue
            try:
                if not member.control.poll(patience):
                    # An answer that comes later would be taken for another command's.
                    self.kill(server)
                    raise EOFError
                answer = json.loads(member.control.recv_bytes())
                answers.append((answer, [member.control.recv_bytes() for _ in answer.get("messages", ())]))
            # What is no JSON object is no answer either.
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
