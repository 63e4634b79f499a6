"""Handler of a server's calls: it records the bytes, computes the operation, and replies."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import torch

from pedbench.base import Networks, Operation
from pedbench.errors import plugin_line
from pedbench.host.determinism import without_onednn
from pedbench.host.files import lock
from pedbench.offload.servers.wiretap import Wiretap, WiretapFull
from pedbench.offload.wire.codec_labels import Coded, code
from pedbench.offload.wire.messages import METHOD, Answer, WireError, decode_call, encode_answer
from pedbench.offload.wire.schema import check_call, check_payload
from pedbench.types import Payload


@dataclass(kw_only=True)
class Handler(grpc.GenericRpcHandler):
    """Handler that records a message's bytes, computes its operation and returns the reply's bytes.

    Calls are received concurrently and computed one at a time; with `turns`, one server of the host computes at a time.
    """

    networks: Networks
    operations: Mapping[str, Operation]
    wiretap: Wiretap
    threads: int = 1
    turns: bool = False
    computing: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    compute: futures.ThreadPoolExecutor = field(
        default_factory=lambda: futures.ThreadPoolExecutor(max_workers=1)
    )

    def service(self, call_details: Any) -> Any:
        # Every method goes through `receive`, so that no call bypasses the wiretap.
        return grpc.unary_unary_rpc_method_handler(
            lambda data, context: self.receive(
                call_details.method, context.invocation_metadata(), data, context
            )
        )

    def receive(self, method: str, metadata: Any, data: bytes, context: Any) -> bytes:
        """Record a message, compute its operation, and return the reply."""
        received = time.monotonic()
        # The lock keeps the order of computing equal to the order of arrival.
        with self.lock:
            try:
                number = self.wiretap.spool(method, metadata, received, data)
            except WiretapFull as error:
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
            future = self.compute.submit(self._answer, method, data, received)
        reply = future.result()
        with self.lock:
            self.wiretap.note_reply(number, reply)
        return reply

    def _answer(self, method: str, data: bytes, received: float) -> bytes:
        with _turn() if self.turns else contextlib.nullcontext():
            self.computing = True
            started = time.monotonic()
            payload: Payload = {}
            coded: dict[str, Coded] = {}
            error = f"unknown method {method!r}" if method != METHOD else ""
            if not error:
                try:
                    payload, coded = self._compute(data)
                # An operation can raise anything: the caller gets the error, and the server goes on.
                except Exception as problem:
                    error = f"{type(problem).__name__}: {problem}{plugin_line(problem)}"
            finished = time.monotonic()
            self.computing = False
        times = {"received": received, "started": started, "finished": finished}
        return encode_answer(Answer(payload=payload, coded=coded, error=error, **times))

    def _compute(self, data: bytes) -> tuple[Payload, dict[str, Coded]]:
        call = decode_call(data)
        if call.operation not in self.operations:
            raise WireError(f"unknown operation {call.operation!r}; known: {', '.join(self.operations)}")
        operation = self.operations[call.operation]
        check_call(call, operation)
        # PyTorch sets the number of threads for the calling thread only.
        torch.set_num_threads(self.threads)
        with without_onednn(self.networks.exact), torch.inference_mode():
            payload = operation.run(call.payload, call.arguments, self.networks)
        check_payload(payload, operation.reply, f"reply of {operation.name}")
        encoded = payload.items() if call.reply else ()
        return payload, {name: code(array, call.reply, operation.reply[name]) for name, array in encoded}


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """Hold the host-wide lock for computing; the system releases it if the process dies."""
    path = Path(tempfile.gettempdir()) / f"pedbench-turn-{os.getuid()}.lock"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        lock(descriptor, path.parent, "set TMPDIR to a folder on a local disk", wait=True)
        yield
    finally:
        os.close(descriptor)
