"""Comparison of calls and payloads with the declaration of their operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from pedbench.base import Field, Operation
from pedbench.offload.wire.codec_labels import Coded, codec_for, find_codec
from pedbench.offload.wire.messages import Call, WireError
from pedbench.types import Payload


def check_call(call: Call, operation: Operation) -> None:
    """Compare a call with the declaration of its operation.

    Raises:
        WireError: An array or argument is missing or undeclared, or has another dtype, shape or value.
    """
    subject = f"request of {operation.name}"
    _check_names(call.arguments, operation.arguments, f"arguments of the {subject}")
    for name, value in call.arguments.items():
        if value not in operation.arguments[name]:
            allowed = ", ".join(operation.arguments[name])
            raise WireError(f"{subject}: argument {name} is {value[:40]!r}, allowed are {allowed}")
    check_payload(call.payload, operation.request, subject)
    try:
        for name, label in call.codecs.items():
            codec_for(operation.request[name].dtypes[0], label)
        label = find_codec(call.reply).label if call.reply else ""
    except (KeyError, ValueError) as error:
        raise WireError(f"{subject}: {error}") from error
    if label != call.reply:
        raise WireError(f"{subject}: the label of the reply's codec is {label}, found {call.reply[:40]!r}")


def check_payload(payload: Payload | Mapping[str, Coded], fields: Mapping[str, Field], subject: str) -> None:
    """Compare arrays with a schema.

    Args:
        payload: The arrays, possibly as a codec encoded them.
        fields: The declared arrays.
        subject: Name of the payload in error messages.

    Raises:
        WireError: An array is missing, undeclared or out of order, or has another dtype or shape.
    """
    if not isinstance(payload, Mapping):
        raise WireError(f"the {subject} is a {_kind(payload)}: return a dict of NumPy arrays")
    _check_names(payload, fields, f"arrays of the {subject}")
    if list(payload) != list(fields):
        raise WireError(f"{subject}: arrays have the order {list(payload)}, declared is {list(fields)}")
    sizes: dict[str, int] = {}
    for name, declared in fields.items():
        array = payload[name]
        if not isinstance(array, np.ndarray | np.generic | Coded):
            raise WireError(f"{subject}: {name!r} is a {_kind(array)}: make it a NumPy array")
        dtype = array.dtype if isinstance(array, Coded) else array.dtype.name
        if dtype not in declared.dtypes:
            raise WireError(f"{subject}: {name} is {dtype}, declared is {' or '.join(declared.dtypes)}")
        fits = len(array.shape) == len(declared.shape) and all(
            size == (sizes.setdefault(expected, size) if isinstance(expected, str) else expected)
            for size, expected in zip(array.shape, declared.shape, strict=True)
        )
        if not fits:
            bound = "".join(f", {key}={value}" for key, value in sizes.items())
            raise WireError(f"{subject}: {name} has shape {array.shape}, declared is {declared.shape}{bound}")


def _kind(found: object) -> str:
    return f"{type(found).__module__}.{type(found).__qualname__}".removeprefix("builtins.")


def _check_names(found: Iterable[str], declared: Iterable[str], subject: str) -> None:
    if set(found) != set(declared):
        raise WireError(f"{subject} are {sorted(found)}, declared are {sorted(declared)}")
