"""Bounds on a message's form, held before it is unpacked: two bytes of a message can become an object of a hundred."""

from __future__ import annotations

from collections.abc import Iterator

MOST_FIELDS = 64
"""Of a message, and of a tensor in it."""

MOST_TEXT = 8192
"""Bytes of a field that is no tensor's content."""

MOST_DIMENSIONS = 8
"""Of a tensor."""

_TENSOR_CONTENT = 4


def check_bounds(data: bytes, tensors: int) -> None:
    """Refuse a message of more and longer fields than any that is written here.

    Args:
        data: The message as it came.
        tensors: Number of the field that holds its tensors.

    Raises:
        ValueError: It has; or it has groups, which nothing here writes.
    """
    for number, content in _fields(memoryview(data)):
        if number != tensors:
            _check_text(content)
            continue
        for inner, part in _fields(content):
            if inner != _TENSOR_CONTENT:
                _check_text(part)


def _check_text(content: memoryview) -> None:
    if len(content) > MOST_TEXT:
        raise ValueError(f"a field has {len(content)} bytes, at most {MOST_TEXT} are read")


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of the fields of variable length; what is cut off, protobuf tells of."""
    place, count = 0, 0
    while place < len(data):
        count += 1
        if count > MOST_FIELDS:
            raise ValueError(f"there are more than {MOST_FIELDS} fields")
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
    """A number of groups of seven bits, and the place after it."""
    value = 0
    for index, byte in enumerate(data[place : place + 10]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, place + index + 1
    raise ValueError("a number does not end")
