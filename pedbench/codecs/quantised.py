"""Quantised values: few bits each, with a scale per channel."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.base import Codec

_ROWS = 256
"""Rows read at a time; a multiple of 8, so that each part begins with a whole byte."""


@dataclass(kw_only=True)
class Quantised(Codec):
    """Tokens rounded to equal steps between the smallest and largest value of a channel in a message.

    The message holds smallest value and step per channel as float16, then the step numbers, packed without gaps. The
    error is at most half a step.

    Attributes:
        bits: Bits per value, 2 to 8.
    """

    name = "quantised"
    version = 1
    cite = "Jacob et al., CVPR 2018, arXiv:1712.05877"
    takes = "float32"
    bits: int = 8

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise ValueError(f"bits must lie in 2..8, found {self.bits}")

    def encode(self, array: npt.NDArray[Any]) -> bytes:
        rows = array.reshape(-1, array.shape[-1]).astype(np.float64)
        last = 2**self.bits - 1
        least, largest = rows.min(axis=0), rows.max(axis=0)
        with np.errstate(over="raise"):
            start = _rounded(least, -np.inf)
            step = _rounded((largest - start) / last, np.inf)
        numbers = np.rint((rows - start) / np.where(step > 0, step, 1)).clip(0, last)
        bits = np.unpackbits(numbers.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - self.bits :]
        return start.astype("<f2").tobytes() + step.astype("<f2").tobytes() + np.packbits(bits).tobytes()

    def decode(self, data: bytes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        return np.concatenate([np.empty((0, shape[-1]), np.float32), *self.parts(data, shape)]).reshape(shape)

    def parts(self, data: bytes, shape: tuple[int, ...]) -> Iterator[npt.NDArray[Any]]:
        channels, count = shape[-1], math.prod(shape)
        if len(data) != 4 * channels + -(-count * self.bits // 8):
            raise ValueError(f"{len(data)} bytes are no {self.label} of shape {shape}")
        start, step = np.frombuffer(data[: 4 * channels], "<f2").reshape(2, channels).astype(np.float32)
        if not (np.isfinite(start).all() and np.isfinite(step).all()):
            raise ValueError("a scale is not finite, which encode never writes")
        packed = np.frombuffer(data[4 * channels :], np.uint8)
        for first in range(0, count, _ROWS * channels):
            size = min(_ROWS * channels, count - first)
            part = packed[first * self.bits // 8 :]
            bits = np.unpackbits(part, count=size * self.bits).reshape(size, self.bits)
            numbers = np.packbits(np.pad(bits, ((0, 0), (8 - self.bits, 0))), axis=1).reshape(-1, channels)
            yield start + step * numbers.astype(np.float32)


def _rounded(values: npt.NDArray[np.float64], towards: float) -> npt.NDArray[np.float64]:
    """Round to float16 in one direction: down for `towards` -inf, up for inf."""
    nearest = values.astype(np.float16)
    wrong = nearest > values if towards < 0 else nearest < values
    return np.where(wrong, np.nextafter(nearest, np.float16(towards)), nearest).astype(np.float64)
