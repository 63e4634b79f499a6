"""Messages as bytes and back, without unexplained bytes.

A request's bytes are canonical: encoding the decoded call gives the same bytes. So no undeclared field, order or
encoding can carry hidden content.
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
from pedbench.offload.wire.size_limits import MAX_DIMENSIONS, check_bounds
from pedbench.types import Payload

METHOD = "/pedbench.Server/Call"
MAX_MESSAGE_BYTES = 64 * 2**20
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A proxy of the environment would get the pictures, even of calls to this host.
    ("grpc.enable_http_proxy", 0),
]

MAX_ERROR_CHARACTERS = 2000
"""Longest error text of a reply; the rest is cut off."""

_DTYPES = {name: np.dtype(name).newbyteorder("<") for name in ("uint8", "int32", "float16", "float32")}


class WireError(ValueError):
    """A message is malformed, or does not match its schema."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """The content of a request message.

    Attributes:
        request: Number of the request among the k requests of the scene.
        sequence: Number of the message among all messages of that request, over all servers.
        codecs: Labels of the codecs of arrays, by the array's name; other arrays are sent as they are.
        reply: Label of the codec for the reply's arrays; "" for none.
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
    """The content of a reply message. Times are seconds on the server's monotonic clock; `error` is "" on success.

    Arrays in `coded` replace those of the same name in `payload`.
    """

    payload: Payload
    error: str
    received: float
    started: float
    finished: float
    coded: Mapping[str, Coded] = field(default_factory=dict)


def encode_call(call: Call) -> bytes:
    """Write a request message.

    Raises:
        WireError: An array's dtype cannot be sent, or a text is not valid.
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
        WireError: The bytes are not a request, or not the canonical bytes of its content.
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
        payload={name: _decoded(name, tensor) for name, tensor in tensors.items()},
        codecs={name: tensor.codec for name, tensor in tensors.items() if isinstance(tensor, Coded)},
        reply=message.reply,
    )
    # `encode_call` does not do: a lossy codec cannot encode the decoded array into the same bytes.
    canonical = _request(call, tensors)
    if canonical != data:
        raise WireError(
            f"found {len(data)} bytes, but the declared fields take {len(canonical)} and explain no others"
        )
    return call


def _request(call: Call, tensors: Mapping[str, np.ndarray[Any, Any] | Coded]) -> bytes:
    """Write a call as bytes, with `tensors` in place of its payload."""
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
    name: str, tensor: np.ndarray[Any, Any] | Coded, declared: Field | None = None
) -> np.ndarray[Any, Any]:
    if not isinstance(tensor, Coded):
        return tensor
    try:
        return decode(tensor, declared)
    # Libraries behind codecs raise many kinds of exceptions for invalid bytes.
    except Exception as error:
        raise WireError(f"tensor {name!r}: {error}") from error


def encode_answer(answer: Answer) -> bytes:
    """Write a reply message."""
    message = wire_pb2.Reply(
        tensors=_to_tensors({**answer.payload, **answer.coded}),
        error=answer.error[:MAX_ERROR_CHARACTERS],
        received=answer.received,
        started=answer.started,
        finished=answer.finished,
    )
    return message.SerializeToString(deterministic=True)


def decode_answer(data: bytes, declared: Mapping[str, Field], codec: str, *, arrays: bool = True) -> Answer:
    """Read a reply message.

    Args:
        data: The bytes.
        declared: Fields of the operation's reply.
        codec: Label of the codec that the call requested; "" for none.
        arrays: Whether arrays of the codec are decoded.

    Raises:
        WireError: The bytes are not a reply, use a codec that was not requested, or hold values that are not finite.
    """
    try:
        check_bounds(data, wire_pb2.Reply.TENSORS_FIELD_NUMBER)
        message = wire_pb2.Reply.FromString(data)
    except (DecodeError, ValueError) as error:
        raise WireError(f"{len(data)} bytes are not a reply: {error}") from error
    tensors = _from_tensors(message.tensors)
    for name, tensor in tensors.items():
        used = tensor.codec if isinstance(tensor, Coded) else ""
        if used != codec:
            raise WireError(f"tensor {name!r} of the reply uses the codec {used!r}, requested was {codec!r}")
    coded = {} if arrays else {name: tensor for name, tensor in tensors.items() if isinstance(tensor, Coded)}
    answer = Answer(
        payload={
            name: _decoded(name, tensor, declared.get(name))
            for name, tensor in tensors.items()
            if name not in coded
        },
        error=message.error,
        received=message.received,
        started=message.started,
        finished=message.finished,
        coded=coded,
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
            raise WireError(f"{name} is {array.dtype}; messages hold {', '.join(_DTYPES)}")
        data = np.ascontiguousarray(array, _DTYPES[array.dtype.name]).tobytes()
        tensors.append(wire_pb2.Tensor(name=name, dtype=array.dtype.name, shape=array.shape, data=data))
    return tensors


def _from_tensors(tensors: Iterable[wire_pb2.Tensor]) -> dict[str, np.ndarray[Any, Any] | Coded]:
    payload: dict[str, np.ndarray[Any, Any] | Coded] = {}
    for tensor in tensors:
        dtype = _DTYPES.get(tensor.dtype)
        if dtype is None:
            raise WireError(f"tensor {tensor.name!r} is {tensor.dtype!r}; messages hold {', '.join(_DTYPES)}")
        if tensor.name in payload:
            raise WireError(f"tensor {tensor.name!r} occurs twice in the message")
        shape = tuple(tensor.shape)
        if len(shape) > MAX_DIMENSIONS or any(size < 0 for size in shape):
            raise WireError(
                f"tensor {tensor.name!r}: {len(tensor.data)} bytes do not make an array of {shape}"
            )
        if tensor.codec:
            if math.prod(shape) * dtype.itemsize > MAX_MESSAGE_BYTES:
                raise WireError(f"tensor {tensor.name!r}: a message may not hold {shape} without a codec")
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
