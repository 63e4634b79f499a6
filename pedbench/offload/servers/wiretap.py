"""The record that a server keeps of everything it receives."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pedbench.base import Operation
from pedbench.offload.servers.rate_limits import SPOOLED_BYTES, SPOOLED_MESSAGES
from pedbench.offload.wire.messages import METHOD, WireError, decode_call
from pedbench.offload.wire.schema import check_call
from pedbench.types import Received

# What grpc adds by itself; the versions and the platform are its own.
_USER_AGENT = re.compile(r"grpc-python/[\d.]+ grpc-c/[\d.]+ \(\w+; \w+\)")


@dataclass(frozen=True, kw_only=True)
class Tapped:
    """A message as it came in, not decoded.

    Attributes:
        method: The gRPC method that was called.
        metadata: The gRPC metadata that came along, keys and values.
        received: When the server had the whole message, seconds on its monotonic clock.
        bytes_out: Length of the reply message; 0 if none was sent.
        data: The message's bytes; empty where the server keeps none.
        digest_in: Hex sha256 of the message, as the server says.
        digest_out: Of the reply; empty if none was sent.
    """

    method: str
    metadata: tuple[tuple[str, str], ...]
    received: float
    bytes_out: int
    data: bytes
    digest_in: str
    digest_out: str


class WiretapFull(RuntimeError):
    """A message that a server will not keep, and so not compute."""


@dataclass(kw_only=True)
class Wiretap:
    """Spools messages to a directory that belongs to this server alone; its users lock.

    Attributes:
        directory: Where to.
        payloads: Whether bytes are kept; otherwise no more than their length and digest.
        most: Bytes that are taken until the next `forget`.
    """

    directory: Path
    payloads: bool = True
    most: int = SPOOLED_BYTES
    _next: int = 0
    _bytes: int = 0
    _entries: dict[int, dict[str, Any]] = field(default_factory=dict)

    def spool(
        self, method: str, metadata: Iterable[tuple[str, str | bytes]], received: float, data: bytes
    ) -> int:
        """Write a message to disk, before anybody looks into it.

        Returns:
            The message's number, as `answered` wants it.

        Raises:
            WiretapFull: There is no room for it.
        """
        if self._bytes + len(data) > self.most or len(self._entries) >= SPOOLED_MESSAGES:
            raise WiretapFull(f"the wiretap holds {self._bytes} bytes and takes {self.most}")
        number = self._next
        self._next += 1
        if self.payloads:
            try:
                with open(self._file(number), "xb", opener=_private) as stream:
                    stream.write(data)
            except OSError as error:
                raise WiretapFull(f"the wiretap cannot be written: {error.strerror}") from error
        self._bytes += len(data)
        pairs = [(key, value if isinstance(value, str) else value.hex()) for key, value in metadata]
        self._entries[number] = {
            "method": method,
            "metadata": pairs,
            "received": received,
            "bytes_out": 0,
            "digest_in": digest(data),
            "digest_out": "",
        }
        return number

    def answered(self, number: int, reply: bytes) -> None:
        """Note length and digest of the reply to a message, if the message is still known."""
        if number in self._entries:
            self._entries[number] |= {"bytes_out": len(reply), "digest_out": digest(reply)}

    def describe(self) -> list[dict[str, Any]]:
        """All entries in their order, without their bytes, as JSON values."""
        return list(self._entries.values())

    def contents(self) -> list[bytes]:
        """The bytes of all entries, in order; none of any where they are not kept."""
        return [self._file(number).read_bytes() if self.payloads else b"" for number in self._entries]

    def forget(self) -> None:
        """Drop everything."""
        for number in self._entries:
            self._file(number).unlink(missing_ok=True)
        self._entries.clear()
        self._bytes = 0

    def _file(self, number: int) -> Path:
        return self.directory / f"{number}.message"


def with_contents(taps: Sequence[Sequence[Tapped]], sent: Iterable[bytes]) -> list[list[Tapped]]:
    """Wiretaps of servers that keep no messages, with those that the edge knows by their digests.

    Args:
        taps: By server.
        sent: All messages that the edge sent.
    """
    if all(tapped.data for tap in taps for tapped in tap):
        return [list(tap) for tap in taps]
    known = {digest(data): data for data in sent}
    return [
        [tapped if tapped.data else replace(tapped, data=known.get(tapped.digest_in, b"")) for tapped in tap]
        for tap in taps
    ]


def digest(data: bytes) -> str:
    """Hex sha256."""
    return hashlib.sha256(data).hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def read_messages(
    server: int,
    tapped: Iterable[Tapped],
    operations: Mapping[str, Operation],
    streamed: Collection[tuple[int, int]] = (),
) -> list[Received]:
    """Decode what a server received, on the trusted side.

    Args:
        server: Its index.
        tapped: Its wiretap.
        operations: The known operations by name.
        streamed: Server and sequence of the messages whose bytes the harness made itself. What a codec wrote for
            others is unexplained: it may hold more than it decodes to.

    Returns:
        One entry a message. Whatever the operation's schema does not declare stands in `unexplained`.
    """
    return [_read(server, message, operations, streamed) for message in tapped]


def _read(
    server: int,
    tapped: Tapped,
    operations: Mapping[str, Operation],
    streamed: Collection[tuple[int, int]],
) -> Received:
    problems = []
    if tapped.method != METHOD:
        problems.append(f"a call of {tapped.method[:60]!r} instead of {METHOD!r}")
    for key, value in tapped.metadata:
        if key != "user-agent" or not _USER_AGENT.fullmatch(value):
            problems.append(f"undeclared metadata {key[:60]!r} of {len(value)} characters")
    call = None
    try:
        call = decode_call(tapped.data)
        if call.operation in operations:
            check_call(call, operations[call.operation])
        else:
            problems.append(f"unknown operation {call.operation[:60]!r}")
        if call.codecs and (server, call.sequence) not in streamed:
            problems.append(f"{sorted(call.codecs)} written by a codec, and not by the harness")
    except WireError as error:
        problems.append(str(error))
    return Received(
        server=server,
        operation=call.operation if call else "",
        request=call.request if call else -1,
        sequence=call.sequence if call else -1,
        payload=None if problems or call is None else call.payload,
        arguments=call.arguments if call else {},
        unexplained="; ".join(problems),
        bytes_in=len(tapped.data),
        bytes_out=tapped.bytes_out,
        received=tapped.received,
        codecs=call.codecs if call else {},
    )
