"""WebP."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from pedbench.base import Codec
from pedbench.codecs._pictures import read_pictures, write_pictures


@dataclass(kw_only=True)
class Webp(Codec):
    """Pictures compressed with lossy WebP.

    Attributes:
        quality: WebP quality, 0 to 100.
    """

    name = "webp"
    version = 1
    cite = "RFC 9649"
    takes = "uint8"
    quality: int = 80

    def __post_init__(self) -> None:
        if not 0 <= self.quality <= 100:
            raise ValueError(f"quality must lie in 0..100, found {self.quality}")

    def encode(self, array: npt.NDArray[Any]) -> bytes:
        return write_pictures(array, format="WEBP", quality=self.quality)

    def decode(self, data: bytes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        return read_pictures(data, shape, "WEBP")
