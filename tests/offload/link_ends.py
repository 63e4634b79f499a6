"""One end of a link as a process: `python link_ends.py serve ADDRESS`, or `call ADDRESS RATE DELAY REPEATS`."""

from __future__ import annotations

import json
import sys
import time
from concurrent import futures
from typing import Any, ClassVar

import grpc
import numpy as np

from pedbench.base import Field, Operation
from pedbench.network.emulated_link import Transport
from pedbench.network.links import Direction, Link, find_link
from pedbench.offload.passes.call import Pending
from pedbench.offload.wire.messages import (
    CHANNEL_OPTIONS,
    METHOD,
    Answer,
    Call,
    decode_call,
    encode_answer,
    encode_call,
)
from pedbench.types import Payload

PORT = 50951
SIZES = {"large": (1_000_000, 1_000_000), "small": (200, 200)}
"""Bytes of the message and of the reply."""


class Swap(Operation):
    """Returns as many bytes as the call requests."""

    name = "swap"
    request: ClassVar = {
        "up": Field(dtypes=("uint8",), shape=("size",)),
        "wanted": Field(dtypes=("int32",), shape=()),
    }
    reply: ClassVar = {"down": Field(dtypes=("uint8",), shape=("size",))}

    def run(self, payload: Any, arguments: Any, networks: Any) -> Any:
        return {"down": np.zeros(int(payload["wanted"]), np.uint8)}


def serve(address: str) -> None:
    """Answer calls until the standard input is closed."""

    def answer(data: bytes, _: Any) -> bytes:
        received = time.monotonic()
        payload = Swap().run(decode_call(data).payload, {}, None)
        now = time.monotonic()
        return encode_answer(Answer(payload=payload, error="", received=received, started=now, finished=now))

    class Handler(grpc.GenericRpcHandler):
        def service(self, call_details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=1), handlers=[Handler()], options=CHANNEL_OPTIONS
    )
    server.add_insecure_port(f"{address}:{PORT}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(None)


class Far:
    """The server at the other end, with the interface of `Servers` that `Pending` uses."""

    def __init__(self, address: str) -> None:
        self._call: Any = grpc.insecure_channel(f"{address}:{PORT}", options=CHANNEL_OPTIONS).unary_unary(
            METHOD
        )

    def call(self, server: int) -> Any:
        return self._call


def call(address: str, link: Link, repeats: int) -> None:
    """Print the shortest uplink and downlink times by size in seconds, as JSON: load of the host only adds time."""
    far: Any = Far(address)
    found = {}
    with Transport(link, 0) as transport:
        for name, (up, down) in SIZES.items():
            payload: Payload = {"up": np.zeros(up, np.uint8), "wanted": np.array(down, np.int32)}
            times = []
            for number in range(repeats + 3):
                message = Call(operation="swap", request=0, sequence=number, payload=payload)
                pending = Pending(far, transport, 0, message, Swap(), encode_call(message), 60.0)
                pending.result()
                done = pending.exchange
                assert done is not None
                times.append((done.received - done.sent, done.replied - done.finished))
            found[name] = np.min(times[3:], axis=0).tolist()
    print(json.dumps(found))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", address]:
            serve(address)
        case ["call", address, rate, delay, repeats]:
            direction = Direction(rate=float(rate), delay=float(delay))
            plain = not (direction.rate or direction.delay)
            link = find_link("loopback") if plain else Link(name="made", up=direction, down=direction)
            call(address, link, int(repeats))
