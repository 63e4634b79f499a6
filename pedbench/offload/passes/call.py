"""A call to a server that is not answered yet, and the ways in which it can end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import grpc
import torch

from pedbench.base import Operation
from pedbench.network.emulated_link import Transport
from pedbench.offload.servers.fleet import ServerLost, Servers
from pedbench.offload.servers.wiretap import Tapped, digest
from pedbench.offload.wire.messages import METHOD, Answer, Call, decode_answer
from pedbench.offload.wire.schema import check_payload
from pedbench.offload.wire.tensors import decode_tensor
from pedbench.types import Exchange, Payload


class RemoteError(RuntimeError):
    """An operation failed on its server."""


class Pending:
    """A pending call. The constructor sends it; it ends with its reply, a failure, or at its deadline.

    Args:
        servers: All servers.
        transport: The link to the servers.
        server: Index of the server to call.
        call: The call.
        operation: The operation that it calls.
        data: The call as bytes.
        deadline: Seconds until the reply must have arrived.
        forge: Turns the reply's bytes into those of a lying server; None if no server lies.

    Attributes:
        server: Index of the server.
        data: The call as bytes.
        reply: The reply as the server sent it, in bytes; None until it was read.
        due: Time of the deadline in seconds on the host's monotonic clock.
        exchange: Sizes and times of the call at both ends; None until its reply was read.
        awaited: Whether `result` was called.
        sent: Time at which it was handed to the link, in seconds on the host's monotonic clock.
        replied: Time at which its reply or its failure arrived; 0 until then.
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
        self._callbacks: list[Callable[[Pending], None]] = []
        self.replied = 0.0
        self._future: Any = None
        self._failure: Exception | None = None
        self.server = server
        self.exchange: Exchange | None = None
        self.awaited = False
        self.sent = time.monotonic()
        self.due = self.sent + deadline
        transport.up(len(data), server, call.sequence, self._hand_over)

    @property
    def sequence(self) -> int:
        """Number of the call among all calls of its pass."""
        return self._call.sequence

    def wait(self) -> None:
        """Wait for the reply, its failure or the deadline, without reading anything."""
        if not self._done.wait(max(0.0, self.due - time.monotonic())):
            state = "no reply" if self._future is not None else "the message was still on the link"
            self._end(self._late(state))
            if self._future is not None:
                self._future.cancel()

    def add_done_callback(self, callback: Callable[[Pending], None]) -> None:
        """Call a function when the reply or a failure arrives, at once if it is there. It must return quickly."""
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append(callback)
                return
        callback(self)

    def result(self) -> Payload:
        """Wait for the reply.

        Raises:
            ServerLost: The server is gone, or missed the deadline.
            RemoteError: The operation failed on the server.
            WireError: The reply does not match the operation's declaration.
        """
        return self._answer(arrays=True).payload

    def tensor(self, name: str, dtype: torch.dtype | None, device: torch.device) -> torch.Tensor:
        """Wait for the reply, and convert one of its arrays without a copy of the whole in the dtype that was sent.

        Args:
            name: Name of the array.
            dtype: Dtype of the result; None for the one that was sent.
            device: Device of the result.

        Raises:
            ServerLost: The server is gone, or missed the deadline.
            RemoteError: The operation failed on the server.
            WireError: The reply does not match the operation's declaration.
        """
        answer = self._answer(arrays=False)
        if answer.coded:
            return decode_tensor(name, answer.coded[name], self._operation.reply[name], dtype).to(device)
        return torch.tensor(answer.payload[name], dtype=dtype, device=device)

    def _answer(self, *, arrays: bool) -> Answer:
        """Wait for the reply; see `result`. Without `arrays`, those of a codec are not decoded."""
        self.awaited = True
        self.wait()
        if self._failure is not None:
            raise ServerLost(
                f"server {self.server} did not answer {self._call.operation}: {self._failure}"
            ) from self._failure
        data: bytes = self._future.result()
        self.reply = data
        reply = self._forge(data) if self._forge else data
        answer = decode_answer(reply, self._operation.reply, self._call.reply, arrays=arrays)
        self.exchange = Exchange(
            server=self.server,
            operation=self._call.operation,
            request=self._call.request,
            sequence=self._call.sequence,
            bytes_up=len(self.data),
            bytes_down=len(data),
            sent=self.sent,
            received=answer.received,
            started=answer.started,
            finished=answer.finished,
            replied=self.replied,
        )
        if answer.error:
            raise RemoteError(f"server {self.server}, {self._call.operation}: {answer.error}")
        found = answer.coded or answer.payload
        check_payload(found, self._operation.reply, f"reply of {self._call.operation}")
        return answer

    def as_sent(self) -> Tapped:
        """Return the message as the server's wiretap should have recorded it, for a server that is lost."""
        received, size = (
            (self.exchange.received, self.exchange.bytes_down) if self.exchange else (self.sent, 0)
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
        """Send the message to the server, after it has passed the emulated link."""
        seconds = self.due - time.monotonic()
        if self._done.is_set() or seconds <= 0:
            return
        try:
            self._future = self._servers.call(self.server).future(self.data, timeout=seconds)
        # This may run in the link's thread: `result` raises the error.
        except Exception as error:
            self._end(error)
        else:
            self._future.add_done_callback(self._on_reply)

    def _on_reply(self, future: Any) -> None:
        if future.code() is grpc.StatusCode.OK:
            size = len(future.result())
            self._transport.down(size, self.server, self._call.sequence, lambda: self._end(None))
        elif future.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._end(self._late("no reply"))
        else:
            self._end(ConnectionError(f"{future.code().name}, {future.details()}"))

    def _late(self, state: str) -> TimeoutError:
        return TimeoutError(f"{state} after {self._deadline:.3g} s")

    def _end(self, failure: Exception | None) -> None:
        with self._lock:
            if self._done.is_set():
                return
            self.replied = time.monotonic()
            self._failure = failure
            self._done.set()
        for callback in self._callbacks:
            callback(self)


def in_arrival_order(pendings: Collection[Pending]) -> Iterator[Pending]:
    """Yield calls in the order in which they end, by a reply, a failure or their deadline."""
    ended: SimpleQueue[Pending] = SimpleQueue()
    for pending in pendings:
        pending.add_done_callback(ended.put)
    remaining = set(pendings)
    while remaining:
        first = min(remaining, key=lambda pending: pending.due)
        try:
            pending = ended.get(timeout=max(0.0, first.due - time.monotonic()))
        except Empty:
            first.wait()
            continue
        remaining.remove(pending)
        yield pending
