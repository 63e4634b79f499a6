"""Codecs by their labels, and arrays as codecs encode them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tomli

from pedbench.base import Codec, Field
from pedbench.errors import PluginError
from pedbench.registry import Registry, source_hash


@dataclass(frozen=True, kw_only=True)
class Coded:
    """An array that a codec encoded.

    Attributes:
        codec: The codec's label.
        dtype: Dtype of the array, like `shape` before encoding.
    """

    codec: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes


_MAX_LABEL_CHARACTERS = 200
"""Longest label that is parsed; labels also come from messages."""


@lru_cache(maxsize=64)
def find_codec(label: str) -> Codec:
    """Return the codec with the label `NAME` or `NAME(PARAMETER=VALUE, ...)`, in-tree or of an installed package.

    Raises:
        PluginError: The codec is unknown, or a parameter is wrong.
    """
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", label) if len(label) <= _MAX_LABEL_CHARACTERS else None
    if match is None:
        raise PluginError(f"expected a codec as NAME or NAME(PARAMETER=VALUE, ...), found {label[:40]!r}.")
    try:
        params = tomli.loads((match[2] or "").replace(", ", "\n"))
    except tomli.TOMLDecodeError as error:
        raise PluginError(f"the parameters of codec {label!r} cannot be read: {error}.") from None
    codec: Codec = Registry().create("codecs", match[1], params)
    return codec


def codec_for(dtype: str, label: str) -> Codec:
    """Return the codec with a label.

    Raises:
        PluginError: The codec is unknown, or encodes arrays of a dtype other than `dtype`.
    """
    codec = find_codec(label)
    if codec.takes != dtype:
        raise PluginError(f"codec {label!r} takes {codec.takes}, but the arrays are {dtype}.")
    return codec


def code(array: npt.NDArray[Any], label: str, field: Field | None = None) -> Coded:
    """Encode an array with a codec.

    Args:
        array: The array.
        label: The codec's label.
        field: Declaration of the array, which names the axis of channels; by default the last axis. Codecs get channels
            last.
    """
    codec = codec_for(array.dtype.name, label)
    data = codec.encode(np.ascontiguousarray(np.moveaxis(array, _channels(field), -1)))
    return Coded(codec=codec.label, dtype=array.dtype.name, shape=array.shape, data=data)


def decode(coded: Coded, field: Field | None = None) -> npt.NDArray[Any]:
    """Decode an array.

    Raises:
        ValueError: The bytes are invalid, or the label is not the codec's own spelling.
    """
    codec, axis, sizes = layout(coded, field)
    array = np.moveaxis(codec.decode(coded.data, sizes), -1, axis)
    if array.shape != coded.shape or array.dtype.name != coded.dtype:
        raise ValueError(
            f"codec {codec.label} returned {array.dtype} {array.shape}, declared is {coded.shape}"
        )
    return array


def layout(coded: Coded, field: Field | None = None) -> tuple[Codec, int, tuple[int, ...]]:
    """Return the codec of an array, the axis of its channels, and its shape as the codec has it, channels last.

    Raises:
        ValueError: The codec is unknown, takes another dtype, or the label is not its own spelling.
    """
    codec = codec_for(coded.dtype, coded.codec)
    if codec.label != coded.codec:
        raise ValueError(f"the codec's label is {codec.label}, found {coded.codec!r}")
    axis = _channels(field)
    sizes = list(coded.shape)
    sizes.append(sizes.pop(axis))
    return codec, axis, tuple(sizes)


def codec_sources() -> dict[str, str]:
    """Return the source hash of each codec, or the error if it cannot be loaded. Both ends must run the same codecs."""
    registry = Registry()
    sources = {}
    for name in registry.origins("codecs"):
        try:
            sources[f"codec {name}"] = source_hash(registry.plugin_class("codecs", name))
        except PluginError as error:
            sources[f"codec {name}"] = str(error)
    return sources


def lossy(codecs: Mapping[str, str]) -> bool:
    """Return whether any of these codecs, given by array, is lossy."""
    return any(not find_codec(label).exact for label in codecs.values())


def _channels(field: Field | None) -> int:
    return field.shape.index("channels") if field and "channels" in field.shape else -1
