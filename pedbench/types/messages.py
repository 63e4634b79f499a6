"""Messages between edge and servers, as both ends and the wiretap saw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

Payload = Mapping[str, npt.NDArray[Any]]
"""Named arrays, as an operation's schema declares them."""

Window = tuple[int, int]
"""A cell of the encoder's window grid: (row, column)."""

Assignment = Mapping[int, tuple[Window, ...]]
"""The windows of each server, by its index in the cloud."""


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One call as both ends saw it: a request message and its reply.

    Times are seconds on the host's monotonic clock; bytes are serialised message lengths.

    Attributes:
        sent: The edge hands the message to the transport.
        received: The server has the whole message.
        started: The server begins to compute (after it got its turn, if servers take turns).
        finished: The server has its result.
        replied: The edge has the whole reply.
    """

    server: int
    operation: str
    request: int
    sequence: int
    bytes_up: int
    bytes_down: int
    sent: float
    received: float
    started: float
    finished: float
    replied: float


@dataclass(frozen=True, kw_only=True)
class Received:
    """A message as the wiretap of one server holds it.

    Attributes:
        payload: What the bytes decode to under the operation's schema; None when they do not.
        arguments: The call's declared string arguments.
        codecs: Labels of the codecs that wrote arrays of the payload, by the array's name.
        unexplained: Why the schema does not explain all that was received; empty when it does.
        bytes_in: Serialised length of the request message as received.
        bytes_out: Serialised length of the reply as sent.
    """

    server: int
    operation: str
    request: int
    sequence: int
    payload: Payload | None
    arguments: Mapping[str, str]
    unexplained: str
    bytes_in: int
    bytes_out: int
    received: float
    codecs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MessageFacts:
    """Facts about a message without its content: traffic metadata, and the call's declared arguments."""

    server: int
    request: int
    sequence: int
    operation: str
    bytes_in: int
    bytes_out: int
    received: float
    arguments: Mapping[str, str] = field(default_factory=dict)
