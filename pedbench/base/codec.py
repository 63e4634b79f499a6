"""Codecs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from pedbench.base.plugin import Plugin


@dataclass(kw_only=True)
class Codec(Plugin, ABC):
    """How an array of a payload or a reply is written as bytes.

    Attributes:
        takes: What arrays hold: "uint8" pixels, (..., H, W, 3), zero beyond the frame; or "float32" tokens,
            (..., C).
        exact: Whether arrays come back as they were. What others leave of pixels counts as degraded.
    """

    takes: ClassVar[Literal["uint8", "float32"]]
    exact: ClassVar[bool] = False

    @abstractmethod
    def encode(self, array: np.ndarray[Any, Any]) -> bytes:
        """Write an array; the same bytes for the same array.

        Raises:
            FloatingPointError: A value is too large to be written.
        """

    @abstractmethod
    def decode(self, data: bytes, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """Read an array of this shape, of the dtype that was written. Zeros beyond the frame are zeros again.

        Raises:
            ValueError: The bytes are no such array.
        """

    def parts(self, data: bytes, shape: tuple[int, ...]) -> Iterator[np.ndarray[Any, Any]]:
        """Read an array part by part, so that a receiver that converts it never has all of it twice.

        By default the whole array is one part.

        Yields:
            (n, shape[-1]) the next rows of what `decode` returns.

        Raises:
            ValueError: The bytes are no such array.
        """
        yield self.decode(data, shape).reshape(-1, shape[-1])
