"""Payloads as bytes and back, with nothing left unexplained.

A request's bytes are canonical: they are exactly what `encode_call` writes for what `decode_call` reads, so
that no field, order or encoding can carry anything beyond the declared content.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from pedbench.base import Field
from pedbench.offload.wire import wire_pb2
from pedbench.offload.wire.codec_labels import Coded, code, decode
from pedbench.offload.wire.size_limits import MOST_DIMENSIONS, check_bounds
from pedbench.types import Payload

METHOD = "/pedbench.Server/Call"
MAX_MESSAGE_BYTES = 64 * 2**20
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]

MOST_LETTERS = 2000
"""Of a reply's error; the rest is cut off."""

_DTYPES = {name: np.dtype(name).newbyteorder("<") for name in ("uint8", "int32", "float16", "float32")}


class WireError(ValueError):
    """A message that does not say what its schema declares."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a request message says.

    Attributes:
        request: Which of the k requests of a scene it belongs to.
        sequence: Its place among the messages of that request, over all servers.
        codecs: Labels of the codecs that write arrays of the payload, by the array's name; others go as they are.
        reply: Label of the codec that writes the reply's arrays; empty if they go as they are.
    """

    operation: str
    request: int
    sequence: int
    arguments: Mapping[str, str] = field(default_factory=dict)
    payload: Payload = field(default_factory=dict)
    codecs: Mapping[str, str] = field(default_factory=dict)
    reply: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a reply message says; times are seconds on the server's monotonic clock."""

    payload: Payload
    error: str
    received: float
    started: float
    finished: float


def encode_call(call: Call) -> bytes:
    """Write a request message.

    Raises:
        WireError: An array of a dtype that the wire does not know, or a text that is not one.
        FloatingPointError: A value is too large for its codec.
    """
    coded = {
        name: code(array, call.codecs[name]) if name in call.codecs else array
        for name, array in call.payload.items()
    }
    try:
        return _request(call, coded)
    except (TypeError, UnicodeError) as error:
        raise WireError(f"the call cannot be written as a message: {error}") from error


def decode_call(data: bytes) -> Call:
    """Read a request message.

    Raises:
        WireError: The bytes are no request, or hold more than a request that says the same.
    """
    try:
        check_bounds(data, wire_pb2.Request.TENSORS_FIELD_NUMBER)
        message = wire_pb2.Request.FromString(data)
    except (DecodeError, ValueError) as error:
        raise WireError(f"{len(data)} bytes are not a request: {error}") from error
    tensors = _from_tensors(message.tensors)
    call = Call(
        operation=message.operation,
        request=message.request,
        sequence=message.sequence,
        arguments=dict(message.arguments),
        payload={name: _decoded(name, found) for name, found in tensors.items()},
        codecs={name: found.codec for name, found in tensors.items() if isinstance(found, Coded)},
        reply=message.reply,
    )
    # Not through `encode_call`: what a codec wrote cannot be made again from what it left.
    plain = _request(call, tensors)
    if plain != data:
        raise WireError(
            f"found {len(data)} bytes, but the declared fields take {len(plain)} and explain no others"
        )
    return call


def _request(call: Call, tensors: Mapping[str, np.ndarray[Any, Any] | Coded]) -> bytes:
    """A call as bytes, its payload as `tensors`."""
    message = wire_pb2.Request(
        operation=call.operation,
        request=call.request,
        sequence=call.sequence,
        arguments=call.arguments,
        tensors=_to_tensors(tensors),
        reply=call.reply,
    )
    return message.SerializeToString(deterministic=True)


def _decoded(
    name: str, found: np.ndarray[Any, Any] | Coded, declared: Field | None = None
) -> np.ndarray[Any, Any]:
    if not isinstance(found, Coded):
        return found
    if math.prod(found.shape) * _DTYPES[found.dtype].itemsize > MAX_MESSAGE_BYTES:
        raise WireError(f"tensor {name!r}: {found.shape} is more than a message may hold without a codec")
    try:
        return decode(found, declared)
    # Codecs let nearly every kind of exception through on bytes that they did not write.
    except Exception as error:
        raise WireError(f"tensor {name!r}: {error}") from error


def encode_answer(answer: Answer, coded: Mapping[str, Coded] | None = None) -> bytes:
    """Write a reply message.

    Args:
        answer: What it says.
        coded: Arrays of the payload that a codec wrote, by name.
    """
    message = wire_pb2.Reply(
        tensors=_to_tensors({**answer.payload, **(coded or {})}),
        error=answer.error[:MOST_LETTERS],
        received=answer.received,
        started=answer.started,
        finished=answer.finished,
    )
    return message.SerializeToString(deterministic=True)


def decode_answer(data: bytes, declared: Mapping[str, Field], codec: str) -> Answer:
    """Read a reply message.

    Args:
        data: Its bytes.
        declared: The arrays of the operation's reply.
        codec: Label of the codec that was asked for, or empty.

    Raises:
        WireError: The bytes are no reply, written otherwise than was asked for, or hold what is not finite.
    """
    try:
        check_bounds(data, wire_pb2.Reply.TENSORS_FIELD_NUMBER)
        message = wire_pb2.Reply.FromString(data)
    except (DecodeError, ValueError) as error:
        raise WireError(f"{len(data)} bytes are not a reply: {error}") from error
    tensors = _from_tensors(message.tensors)
    for name, found in tensors.items():
        written = found.codec if isinstance(found, Coded) else ""
        if written != codec:
            raise WireError(
                f"tensor {name!r} of the reply is written by {written!r}, asked for was {codec!r}"
            )
    answer = Answer(
        payload={name: _decoded(name, found, declared.get(name)) for name, found in tensors.items()},
        error=message.error,
        received=message.received,
        started=message.started,
        finished=message.finished,
    )
    _refuse_non_finite(answer)
    return answer


def _refuse_non_finite(answer: Answer) -> None:
    for name, array in answer.payload.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise WireError(f"tensor {name!r} of the reply holds values that are not finite")
    if not all(map(math.isfinite, (answer.received, answer.started, answer.finished))):
        raise WireError("a time of the reply is not finite")


def _to_tensors(payload: Mapping[str, np.ndarray[Any, Any] | Coded]) -> list[wire_pb2.Tensor]:
    tensors = []
    for name, array in payload.items():
        if isinstance(array, Coded):
            tensors.append(
                wire_pb2.Tensor(
                    name=name, dtype=array.dtype, shape=array.shape, data=array.data, codec=array.codec
                )
            )
            continue
        if array.dtype.name not in _DTYPES:
            raise WireError(f"{name} is {array.dtype}; the wire knows {', '.join(_DTYPES)}")
        data = np.ascontiguousarray(array, _DTYPES[array.dtype.name]).tobytes()
        tensors.append(wire_pb2.Tensor(name=name, dtype=array.dtype.name, shape=array.shape, data=data))
    return tensors


def _from_tensors(tensors: Iterable[wire_pb2.Tensor]) -> dict[str, np.ndarray[Any, Any] | Coded]:
    payload: dict[str, np.ndarray[Any, Any] | Coded] = {}
    for tensor in tensors:
        dtype = _DTYPES.get(tensor.dtype)
        if dtype is None:
            raise WireError(
                f"tensor {tensor.name!r} is {tensor.dtype!r}; the wire knows {', '.join(_DTYPES)}"
            )
        if tensor.name in payload:
            raise WireError(f"tensor {tensor.name!r} stands twice in the message")
        shape = tuple(tensor.shape)
        if len(shape) > MOST_DIMENSIONS or any(size < 0 for size in shape):
            raise WireError(f"tensor {tensor.name!r} has the shape {shape}: bytes do not make that")
        if tensor.codec:
            payload[tensor.name] = Coded(
                codec=tensor.codec, dtype=tensor.dtype, shape=shape, data=tensor.data
            )
            continue
        if math.prod(shape) * dtype.itemsize != len(tensor.data):
            raise WireError(
                f"tensor {tensor.name!r}: {len(tensor.data)} bytes do not make {tensor.dtype} {shape}"
            )
        payload[tensor.name] = np.frombuffer(tensor.data, dtype).reshape(shape)
    return payload
