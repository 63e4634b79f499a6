"""Control connection to a server on another machine."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any

import grpc

from pedbench.offload.servers.remote_server import CONTROL


class ControlStream:
    """Commands to one server and its answers over a gRPC stream, as a `fleet.Control`; `patience` is in seconds."""

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
            EOFError: The server is gone, or closed the stream.
            TimeoutError: No message arrived within `patience` seconds.
        """
        if not self.poll(self._patience):
            raise TimeoutError(f"no answer within {self._patience:.0f} s")
        if isinstance(self._next, str):
            raise EOFError(self._next)
        message, self._next = self._next, None
        assert message is not None
        return message

    def poll(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for a message or the end of the stream; return whether one arrived."""
        if self._next is None:
            with contextlib.suppress(queue.Empty):
                self._next = self._answers.get(timeout=timeout)
        return self._next is not None

    def close(self) -> None:
        """End the stream; the server then drops its wiretap."""
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
