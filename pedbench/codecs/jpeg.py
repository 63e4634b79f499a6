"""JPEG."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from pedbench.base import Codec
from pedbench.codecs._pictures import read_pictures, write_pictures


@dataclass(kw_only=True)
class Jpeg(Codec):
    """Pictures compressed with JPEG.

    Attributes:
        quality: JPEG quality, 1 to 95; chroma is halved in both directions.
    """

    name = "jpeg"
    version = 1
    cite = "ITU-T T.81"
    takes = "uint8"
    quality: int = 80

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise ValueError(f"quality must lie in 1..95, found {self.quality}")

    def encode(self, array: npt.NDArray[Any]) -> bytes:
        return write_pictures(array, format="JPEG", quality=self.quality, subsampling="4:2:0")

    def decode(self, data: bytes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        return read_pictures(data, shape, "JPEG")
