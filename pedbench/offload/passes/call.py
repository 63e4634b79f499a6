"""A call that is under way to a server, and what can become of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import grpc

from pedbench.base import Operation
from pedbench.network.emulated_link import Transport
from pedbench.offload.servers.fleet import ServerLost, Servers
from pedbench.offload.servers.wiretap import Tapped, digest
from pedbench.offload.wire.messages import METHOD, Call, decode_answer
from pedbench.offload.wire.schema import check_payload
from pedbench.types import Exchange, Payload


class RemoteError(RuntimeError):
    """An operation that failed on its server."""


class Pending:
    """A call under way; it is sent when this is made, and over at its deadline, whatever became of it.

    Args:
        servers: The processes.
        transport: The link to them.
        server: Index of the one to call.
        call: What is sent.
        operation: What the call asks for.
        data: The call as bytes.
        deadline: Seconds until the reply must be here.
        forge: Makes of the reply's bytes what a lying server would have sent; None where servers are as they are.

    Attributes:
        server: Index of the server.
        data: The call as bytes.
        reply: The reply as bytes, as the server sent it, once it was read.
        due: When the reply must be here, on the host's monotonic clock.
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
        forge: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._servers = servers
        self._transport = transport
        self._call = call
        self._operation = operation
        self.data = data
        self.reply: bytes | None = None
        self._deadline = deadline
        self._forge = forge
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._tell: list[Callable[[Pending], None]] = []
        self._replied = 0.0
        self._future: Any = None
        self._failure: Exception | None = None
        self.server = server
        self.exchange: Exchange | None = None
        self.asked = False
        self._sent = time.monotonic()
        self.due = self._sent + deadline
        transport.up(len(data), server, call.sequence, self._hand_over)

    @property
    def sequence(self) -> int:
        """The call's place among those of its pass."""
        return self._call.sequence

    def wait(self) -> None:
        """Wait for the reply, its failure or the deadline, without reading anything."""
        if not self._done.wait(max(0.0, self.due - time.monotonic())):
            where = "no reply" if self._future is not None else "the message was still on the link"
            self._end(self._late(where))
            if self._future is not None:
                self._future.cancel()

    def tell(self, listener: Callable[[Pending], None]) -> None:
        """Have a function called once the reply or its failure is here, now if it is; it must be quick."""
        with self._lock:
            if not self._done.is_set():
                self._tell.append(listener)
                return
        listener(self)

    def result(self) -> Payload:
        """Wait for the reply.

        Raises:
            ServerLost: The server is gone, or missed the deadline.
            RemoteError: The operation failed on the server.
            WireError: The reply is not what the operation declares.
        """
        self.asked = True
        self.wait()
        if self._failure is not None:
            raise ServerLost(
                f"server {self.server} did not answer {self._call.operation}: {self._failure}"
            ) from self._failure
        data: bytes = self._future.result()
        self.reply = data
        told = self._forge(data) if self._forge else data
        answer = decode_answer(told, self._operation.reply, self._call.reply)
        self.exchange = Exchange(
            server=self.server,
            operation=self._call.operation,
            request=self._call.request,
            sequence=self._call.sequence,
            bytes_up=len(self.data),
            bytes_down=len(data),
            sent=self._sent,
            received=answer.received,
            started=answer.started,
            finished=answer.finished,
            replied=self._replied,
        )
        if answer.error:
            raise RemoteError(f"server {self.server}, {self._call.operation}: {answer.error}")
        check_payload(answer.payload, self._operation.reply, f"reply of {self._call.operation}")
        return answer.payload

    def as_sent(self) -> Tapped:
        """The message as a wiretap would hold it that is lost with its server."""
        received, size = (
            (self.exchange.received, self.exchange.bytes_down) if self.exchange else (self._sent, 0)
        )
        return Tapped(
            method=METHOD,
            metadata=(),
            received=received,
            bytes_out=size,
            data=self.data,
            digest_in=digest(self.data),
            digest_out=digest(self.reply) if self.reply is not None else "",
        )

    def _hand_over(self) -> None:
        """The message has come through the link."""
        left = self.due - time.monotonic()
        if self._done.is_set() or left <= 0:
            return
        try:
            self._future = self._servers.call(self.server).future(self.data, timeout=left)
        # Whoever waits for the reply is told; this may be the link's own thread.
        except Exception as error:
            self._end(error)
        else:
            self._future.add_done_callback(self._answered)

    def _answered(self, future: Any) -> None:
        if future.code() is grpc.StatusCode.OK:
            size = len(future.result())
            self._transport.down(size, self.server, self._call.sequence, lambda: self._end(None))
        elif future.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._end(self._late("no reply"))
        else:
            self._end(ConnectionError(f"{future.code().name}, {future.details()}"))

    def _late(self, where: str) -> TimeoutError:
        return TimeoutError(f"{where} after {self._deadline:.3g} s")

    def _end(self, failure: Exception | None) -> None:
        with self._lock:
            if self._done.is_set():
                return
            self._replied = time.monotonic()
            self._failure = failure
            self._done.set()
        for listener in self._tell:
            listener(self)


def as_they_come(pendings: Collection[Pending]) -> Iterator[Pending]:
    """Calls in the order in which their replies come; those that fail or miss their deadline are among them."""
    come: SimpleQueue[Pending] = SimpleQueue()
    for pending in pendings:
        pending.tell(come.put)
    left = set(pendings)
    while left:
        first = min(left, key=lambda pending: pending.due)
        try:
            pending = come.get(timeout=max(0.0, first.due - time.monotonic()))
        except Empty:
            first.wait()
            continue
        left.remove(pending)
        yield pending
