"""Wiretap: the record that a server keeps of all messages that it receives."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any

from pedbench.base import Operation
from pedbench.offload.servers.rate_limits import SPOOLED_BYTES, SPOOLED_MESSAGES
from pedbench.offload.wire.messages import METHOD, WireError, decode_call
from pedbench.offload.wire.schema import check_call
from pedbench.types import Received

# gRPC itself adds this header with its versions and platform.
_USER_AGENT = re.compile(r"grpc-python/[\d.]+ grpc-c/[\d.]+ \(\w+; \w+\)")


@dataclass(frozen=True, kw_only=True)
class Tapped:
    """A message as a server recorded it, not decoded.

    Attributes:
        method: The gRPC method that was called.
        metadata: Keys and values of the gRPC metadata.
        received: Time at which the server had the whole message, in seconds on its monotonic clock.
        bytes_out: Length of the reply in bytes; 0 if none was sent.
        data: The message's bytes; empty if the server does not keep them.
        digest_in: Hex SHA-256 of the message, computed by the server.
        digest_out: Hex SHA-256 of the reply; "" if none was sent.
    """

    method: str
    metadata: tuple[tuple[str, str], ...]
    received: float
    bytes_out: int
    data: bytes
    digest_in: str
    digest_out: str


class WiretapFull(RuntimeError):
    """The wiretap cannot record a message, so the server does not compute it."""


@dataclass(kw_only=True)
class Wiretap:
    """The record of one server's messages. It is not thread-safe: callers lock.

    Bytes lie in a file without a name, which ends with its process however that ends.

    Attributes:
        payloads: Whether bytes are kept; otherwise only lengths and digests.
        max_bytes: Bytes that are accepted until the next `forget`.
    """

    payloads: bool = True
    max_bytes: int = SPOOLED_BYTES
    _next: int = 0
    _bytes: int = 0
    _entries: dict[int, dict[str, Any]] = field(default_factory=dict)
    _places: dict[int, tuple[int, int]] = field(default_factory=dict)
    _file: IO[bytes] | None = None

    def spool(
        self, method: str, metadata: Iterable[tuple[str, str | bytes]], received: float, data: bytes
    ) -> int:
        """Write a message to disk before it is decoded.

        Returns:
            The message's number, for `note_reply`.

        Raises:
            WiretapFull: A limit is reached, or the file cannot be written.
        """
        if self._bytes + len(data) > self.max_bytes or len(self._entries) >= SPOOLED_MESSAGES:
            raise WiretapFull(f"the wiretap holds {self._bytes} bytes and takes {self.max_bytes}")
        number = self._next
        self._next += 1
        if self.payloads:
            try:
                self._write(data)
            except OSError as error:
                raise WiretapFull(f"the wiretap cannot be written: {error.strerror}") from error
        self._places[number] = self._bytes, len(data)
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

    def note_reply(self, number: int, reply: bytes) -> None:
        """Record length and digest of the reply to a message, unless `forget` dropped the message."""
        if number in self._entries:
            self._entries[number] |= {"bytes_out": len(reply), "digest_out": digest(reply)}

    def describe(self) -> list[dict[str, Any]]:
        """Return all entries without bytes, in the order of arrival, as JSON values."""
        return list(self._entries.values())

    def contents(self) -> list[bytes]:
        """Return the bytes of all entries in the order of arrival; b"" for each if they are not kept."""
        if self._file is None:
            return [b""] * len(self._entries)
        return [os.pread(self._file.fileno(), length, start) for start, length in self._places.values()]

    def forget(self) -> None:
        """Drop all entries and their bytes."""
        if self._file is not None:
            self._file.truncate(0)
        self._entries.clear()
        self._places.clear()
        self._bytes = 0

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        written = 0
        while written < len(data):
            written += os.pwrite(self._file.fileno(), data[written:], self._bytes + written)


def with_contents(taps: Sequence[Sequence[Tapped]], sent: Iterable[bytes]) -> list[list[Tapped]]:
    """Fill in the bytes of messages that servers did not keep, found among the edge's messages by digest.

    Args:
        taps: Recorded messages of each server.
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
    """Return the hex SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def read_messages(
    server: int,
    tapped: Iterable[Tapped],
    operations: Mapping[str, Operation],
    streamed: Collection[tuple[int, int]] = (),
) -> list[Received]:
    """Decode the messages that a server recorded.

    Args:
        server: Index of the server.
        tapped: Its recorded messages.
        operations: The known operations by name.
        streamed: Server and sequence number of messages whose bytes the harness made itself. In all others, arrays that
            a codec encoded are unexplained: their bytes can carry more than the decoded array shows.

    Returns:
        One entry per message. `unexplained` lists everything that the operation's schema does not declare.
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
            problems.append(f"{sorted(call.codecs)} encoded by a codec, but not by the harness")
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
