"""Messages between a run and the process from which it forks attacks: JSON, and at most one open file."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

_LENGTH = 4


def send(link: socket.socket, message: dict[str, Any], handle: int | None = None) -> None:
    """Send a message, and a handle of this process that the other end gets as its own."""
    data = json.dumps(message).encode()
    socket.send_fds(link, [len(data).to_bytes(_LENGTH, "little")], [] if handle is None else [handle])
    link.sendall(data)


def receive(link: socket.socket) -> tuple[dict[str, Any], int | None]:
    """Wait for a message and the handle that came with it.

    Raises:
        EOFError: The other end is closed.
    """
    head, handles, _, _ = socket.recv_fds(link, _LENGTH, 1)
    for handle in handles:
        os.set_inheritable(handle, False)
    message = json.loads(_exactly(link, int.from_bytes(head + _exactly(link, _LENGTH - len(head)), "little")))
    return message, handles[0] if handles else None


def _exactly(link: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = link.recv(count)
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
