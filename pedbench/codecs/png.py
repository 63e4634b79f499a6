"""PNG."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from pedbench.base import Codec
from pedbench.codecs._pictures import read_pictures, write_pictures


@dataclass(kw_only=True)
class Png(Codec):
    """Pictures compressed with PNG, without loss."""

    name = "png"
    version = 1
    cite = "ISO/IEC 15948"
    takes = "uint8"
    exact = True

    def encode(self, array: npt.NDArray[Any]) -> bytes:
        return write_pictures(array, format="PNG")

    def decode(self, data: bytes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        return read_pictures(data, shape, "PNG")
