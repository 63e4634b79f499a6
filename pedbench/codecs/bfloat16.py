"""bfloat16: half the bits of float32, all of its range."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.base import Codec

_ROWS = 256
"""Rows read at a time."""


@dataclass(kw_only=True)
class Bfloat16(Codec):
    """Tokens rounded to the nearest bfloat16, ties to even."""

    name = "bfloat16"
    version = 1
    takes = "float32"

    def encode(self, array: npt.NDArray[Any]) -> bytes:
        bits = array.astype("<f4").view("<u4").astype(np.uint64)
        upper = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
        # Above the largest value lies infinity, which decoding would refuse.
        if (upper & 0x7F80 == 0x7F80).any():
            raise FloatingPointError("a value is not finite as bfloat16")
        return upper.astype("<u2").tobytes()

    def decode(self, data: bytes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        upper = np.frombuffer(data, "<u2").astype(np.uint32)
        if (upper & 0x7F80 == 0x7F80).any():
            raise ValueError("a value is not finite, which encode never writes")
        return (upper << 16).view(np.float32).reshape(shape)

    def parts(self, data: bytes, shape: tuple[int, ...]) -> Iterator[npt.NDArray[Any]]:
        bits = np.frombuffer(data, "<u2").reshape(-1, shape[-1])
        if bits.size != math.prod(shape):
            raise ValueError(f"{len(data)} bytes are no bfloat16 of shape {shape}")
        for first in range(0, len(bits), _ROWS):
            part = bits[first : first + _ROWS]
            yield self.decode(part.tobytes(), part.shape)
