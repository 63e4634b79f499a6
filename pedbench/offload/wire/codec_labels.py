"""Codecs by their label, and arrays as they write them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.base import Codec, Field
from pedbench.errors import PluginError
from pedbench.registry import Registry, source_hash


@dataclass(frozen=True, kw_only=True)
class Coded:
    """An array as a codec wrote it.

    Attributes:
        codec: The codec's label.
        dtype: The array's, as its shape.
    """

    codec: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes


_LONGEST_LABEL = 200
"""Letters; labels come with messages, too."""


@lru_cache(maxsize=64)
def find_codec(label: str) -> Codec:
    """A codec by its label, `NAME` or `NAME(PARAMETER=VALUE, ...)`; in-tree or of an installed package.

    Raises:
        PluginError: It is unknown, or a parameter is wrong.
    """
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", label) if len(label) <= _LONGEST_LABEL else None
    if match is None:
        raise PluginError(f"expected a codec as NAME or NAME(PARAMETER=VALUE, ...), found {label[:40]!r}.")
    try:
        params = tomllib.loads((match[2] or "").replace(", ", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise PluginError(f"the parameters of codec {label!r} cannot be read: {error}.") from None
    codec: Codec = Registry().create("codecs", match[1], params)
    return codec


def codec_for(dtype: str, label: str) -> Codec:
    """A codec that takes arrays of a dtype.

    Raises:
        PluginError: It is unknown, or takes others.
    """
    codec = find_codec(label)
    if codec.takes != dtype:
        raise PluginError(f"codec {label!r} takes {codec.takes}, here are arrays of {dtype}.")
    return codec


def code(array: npt.NDArray[Any], label: str, field: Field | None = None) -> Coded:
    """Write an array with a codec.

    Args:
        array: What to write.
        label: The codec's label.
        field: Where the array's channels are, which codecs get last; there without it.
    """
    codec = codec_for(array.dtype.name, label)
    data = codec.encode(np.ascontiguousarray(np.moveaxis(array, _channels(field), -1)))
    return Coded(codec=codec.label, dtype=array.dtype.name, shape=array.shape, data=data)


def decode(coded: Coded, field: Field | None = None) -> npt.NDArray[Any]:
    """The array that a codec wrote, as it left it.

    Raises:
        ValueError: The bytes are not the codec's, or the label is not how the codec calls itself.
    """
    codec = codec_for(coded.dtype, coded.codec)
    if codec.label != coded.codec:
        raise ValueError(f"codec {codec.label} is called {coded.codec!r} in a message")
    axis = _channels(field)
    sizes = list(coded.shape)
    sizes.append(sizes.pop(axis))
    array = np.moveaxis(codec.decode(coded.data, tuple(sizes)), -1, axis)
    if array.shape != coded.shape or array.dtype.name != coded.dtype:
        raise ValueError(f"codec {codec.label} gave {array.dtype} {array.shape}, declared is {coded.shape}")
    return array


def codec_sources() -> dict[str, str]:
    """Hash of the source of every codec, or why it cannot be loaded: both ends must run the same."""
    registry = Registry()
    found = {}
    for name in registry.origins("codecs"):
        try:
            found[f"codec {name}"] = source_hash(registry.plugin_class("codecs", name))
        except PluginError as error:
            found[f"codec {name}"] = str(error)
    return found


def lossy(codecs: Mapping[str, str]) -> bool:
    """Whether one of these codecs, by array, leaves an array other than it was."""
    return any(not find_codec(label).exact for label in codecs.values())


def _channels(field: Field | None) -> int:
    return field.shape.index("channels") if field and "channels" in field.shape else -1
