"""A call that is under way to a server, and what can become of it."""

from __future__ import annotations

import threading
import time
from typing import Any

import grpc

from pedbench.base import Operation
from pedbench.offload.servers import ServerLost, Servers
from pedbench.offload.transport import Transport
from pedbench.offload.wire import Call, check_payload, decode_answer
from pedbench.types import Exchange, Payload


class RemoteError(RuntimeError):
    """An operation that failed on its server."""


class Pending:
    """A call under way; it is sent when this is made.

    Args:
        servers: The processes.
        transport: The link to them.
        server: Index of the one to call.
        call: What is sent.
        operation: What the call asks for.
        data: The call as bytes.
        deadline: Seconds until the reply must be here.

    Attributes:
        exchange: The call as both ends saw it, once its reply was read.
        asked: Whether somebody waited for the reply.
    """

    def __init__(
        self,
        servers: Servers,
        transport: Transport,
        server: int,
        call: Call,
        operation: Operation,
        data: bytes,
        deadline: float,
    ) -> None:
        self._servers = servers
        self._transport = transport
        self._server = server
        self._call = call
        self._operation = operation
        self._deadline = deadline
        self._bytes_up = len(data)
        self._done = threading.Event()
        self._replied = 0.0
        self._future: Any = None
        self._unsent: Exception | None = None
        self.exchange: Exchange | None = None
        self.asked = False
        self._sent = time.monotonic()
        transport.up(len(data), server, call.sequence, lambda: self._hand_over(data))

    @property
    def sequence(self) -> int:
        """The call's place among those of its pass."""
        return self._call.sequence

    def wait(self) -> None:
        """Wait for the reply, or for its failure, without reading it."""
        self._done.wait()

    def result(self) -> Payload:
        """Wait for the reply.

        Raises:
            ServerLost: The server is gone, or missed the deadline.
            RemoteError: The operation failed on the server.
            WireError: The reply is not what the operation declares.
        """
        self.asked = True
        self.wait()
        lost = f"server {self._server} did not answer {self._call.operation}"
        if self._unsent is not None:
            raise ServerLost(f"{lost}: {self._unsent}") from self._unsent
        if self._future.code() is not grpc.StatusCode.OK:
            code, details = self._future.code(), self._future.details()
            raise ServerLost(f"{lost}: {code.name}, {details}")
        if self._replied - self._sent > self._deadline:
            raise ServerLost(f"{lost}: the reply was {self._replied - self._sent:.3g} s under way")
        data: bytes = self._future.result()
        answer = decode_answer(data, self._operation.reply, self._call.reply)
        self.exchange = Exchange(
            server=self._server,
            operation=self._call.operation,
            request=self._call.request,
            sequence=self._call.sequence,
            bytes_up=self._bytes_up,
            bytes_down=len(data),
            sent=self._sent,
            received=answer.received,
            started=answer.started,
            finished=answer.finished,
            replied=self._replied,
        )
        if answer.error:
            raise RemoteError(f"server {self._server}, {self._call.operation}: {answer.error}")
        check_payload(answer.payload, self._operation.reply, f"reply of {self._call.operation}")
        return answer.payload

    def _hand_over(self, data: bytes) -> None:
        """The message has come through the link."""
        try:
            left = self._sent + self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"the link needs more than {self._deadline:.3g} s for {len(data)} bytes")
            self._future = self._servers.call(self._server).future(data, timeout=left)
        # Whoever waits for the reply is told; this may be the link's own thread.
        except Exception as error:
            self._unsent = error
            self._stamp()
        else:
            self._future.add_done_callback(self._answered)

    def _answered(self, future: Any) -> None:
        if future.code() is grpc.StatusCode.OK:
            self._transport.down(len(future.result()), self._server, self._call.sequence, self._stamp)
        else:
            self._stamp()

    def _stamp(self) -> None:
        self._replied = time.monotonic()
        self._done.set()
