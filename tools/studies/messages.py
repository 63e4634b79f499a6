"""Messages as long as those of a pass, made without a network, and the time to write and read them here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pedbench.base import Operation
from pedbench.models.sam.architectures import Architecture
from pedbench.offload.operations.builtin import load_operations
from pedbench.offload.operations.payload_fields import reply_form
from pedbench.offload.operations.tiles import Bytes, cut_tiles, to_dtype
from pedbench.offload.wire.codec_labels import code, codec_for
from pedbench.offload.wire.messages import (
    Answer,
    Call,
    decode_answer,
    decode_call,
    encode_answer,
    encode_call,
)
from pedbench.types import Payload, Window

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message to one server, and its reply.

    Attributes:
        bytes_up: Serialised length of the message.
        bytes_down: Serialised length of the reply.
        edge_writes: Seconds that it took here to cut and write the message, its codec included.
        server_reads: The same for reading it.
        server_writes: The same for writing the reply.
        edge_reads: The same for reading it.
    """

    bytes_up: int
    bytes_down: int
    edge_writes: float
    server_reads: float
    server_writes: float
    edge_reads: float


def window_message(
    network: Architecture,
    pixels: Bytes,
    windows: Sequence[Window],
    payload: str = "pixels",
    reply: str = "float32",
    number: int = 0,
) -> Message:
    """Make the message to a server of `ped_sam`, and its reply.

    Args:
        network: The architecture.
        pixels: (H, W, 3) frame.
        windows: Row and column of each of its windows.
        payload: `pixels`, or a codec for them.
        reply: `float32`, `float16`, or a codec for tokens.
        number: The message's place in its pass.
    """
    ordered = sorted(windows)
    positions, frame = np.array(ordered, np.int32), np.array(pixels.shape[:2], np.int32)
    shape = (len(ordered), network.window_size, network.window_size, network.embed_dim)

    def cut() -> Payload:
        return {"pixels": cut_tiles(pixels, ordered, network.grid), "positions": positions, "frame": frame}

    return _exchange("encode_windows", "fine-tuned", cut, "tokens", shape, payload, reply, number)


def frame_message(
    network: Architecture, pixels: Bytes, payload: str = "pixels", reply: str = "float32"
) -> Message:
    """Make the message to the server of `full_offload`, and its reply; arguments as for `window_message`."""
    shape = (1, network.neck_channels, *network.tokens)
    return _exchange(
        "encode_image", "original", lambda: {"pixels": pixels}, "features", shape, payload, reply, 0
    )


def _exchange(
    name: str,
    weights: str,
    cut: Callable[[], Payload],
    field: str,
    shape: tuple[int, ...],
    payload: str,
    reply: str,
    number: int,
) -> Message:
    operation: Operation = load_operations()[name]
    dtype, written = reply_form(reply)
    codec = "" if payload == "pixels" else codec_for("uint8", payload).label
    arrays, cutting = _timed(cut)
    call = Call(
        operation=name,
        request=0,
        sequence=number,
        arguments={"weights": weights, "reply": dtype},
        payload=arrays,
        codecs={"pixels": codec} if codec else {},
        reply=written,
    )
    # Tokens are about as hard to press as noise.
    values = to_dtype(np.random.default_rng(0).standard_normal(shape, np.float32), dtype)
    sent, edge_writes = _timed(lambda: encode_call(call))
    _, server_reads = _timed(lambda: decode_call(sent))
    replied, server_writes = _timed(lambda: _written(field, values, written, operation))
    _, edge_reads = _timed(lambda: decode_answer(replied, operation.reply, written))
    return Message(
        bytes_up=len(sent),
        bytes_down=len(replied),
        edge_writes=cutting + edge_writes,
        server_reads=server_reads,
        server_writes=server_writes,
        edge_reads=edge_reads,
    )


def _written(name: str, values: npt.NDArray[Any], codec: str, operation: Operation) -> bytes:
    coded = {name: code(values, codec, operation.reply[name])} if codec else {}
    # Times as long as real ones.
    times = {"received": 1.0, "started": 1.0, "finished": 1.0}
    return encode_answer(Answer(payload={name: values}, coded=coded, error="", **times))


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return the result of `work` and the shorter time of two runs."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return result, min(seconds)
