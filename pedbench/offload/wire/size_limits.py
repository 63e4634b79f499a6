"""Limits that a message must keep before protobuf parses it: two bytes of a message can become a large object."""

from __future__ import annotations

from collections.abc import Iterator

MAX_FIELDS = 64
"""Largest number of fields of a message, and of each tensor in it."""

MAX_TEXT_BYTES = 8192
"""Largest number of bytes of a field other than a tensor's data."""

MAX_DIMENSIONS = 8
"""Largest number of dimensions of a tensor."""

_TENSOR_DATA = 4
"""Number of the field with a tensor's data."""


def check_bounds(data: bytes, tensors: int) -> None:
    """Check the number and the lengths of a message's fields.

    Args:
        data: The message as received.
        tensors: Number of the field with the message's tensors.

    Raises:
        ValueError: The message has too many or too long fields, or groups, which pedbench never writes.
    """
    for number, content in _fields(memoryview(data)):
        if number != tensors:
            _check_text(content)
            continue
        for inner, part in _fields(content):
            if inner != _TENSOR_DATA:
                _check_text(part)


def _check_text(content: memoryview) -> None:
    if len(content) > MAX_TEXT_BYTES:
        raise ValueError(f"a field has {len(content)} bytes, at most {MAX_TEXT_BYTES} are read")


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of the fields of variable length. Protobuf reports truncated fields later."""
    place, count = 0, 0
    while place < len(data):
        count += 1
        if count > MAX_FIELDS:
            raise ValueError(f"there are more than {MAX_FIELDS} fields")
        tag, place = _number(data, place)
        match tag & 7:
            case 0:
                _, place = _number(data, place)
            case 1:
                place += 8
            case 2:
                size, place = _number(data, place)
                yield tag >> 3, data[place : place + size]
                place += size
            case 5:
                place += 4
            case kind:
                raise ValueError(f"there is a field of kind {kind}")


def _number(data: memoryview, place: int) -> tuple[int, int]:
    """Read a varint at `place`; return its value and the place after it."""
    value = 0
    for index, byte in enumerate(data[place : place + 10]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, place + index + 1
    raise ValueError("a number does not end")
