"""Compressing the picture before it is offloaded."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pedbench.base import Defense, Embedding
from pedbench.offload.cloud import Cloud
from pedbench.offload.edge import Edge
from pedbench.offload.tiles import to_bytes, to_picture
from pedbench.types import Picture


@dataclass(kw_only=True)
class Jpeg(Defense):
    """One server gets the frame as JPEG leaves it.

    The picture travels decoded, as that of every other degrading defense does, so that what was received is what
    can be seen; fewer bytes are not claimed.

    Attributes:
        quality: JPEG's, from 1 to 95, with chroma halved both ways.
        weights: The network that the server runs.
    """

    name = "jpeg"
    version = 1
    cite = "ITU-T T.81"
    disclosure = "degraded"
    quality: int = 10
    weights: str = "original"

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise ValueError(f"quality must lie in 1..95, found {self.quality}")

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        with edge.preparing():
            stream = io.BytesIO()
            Image.fromarray(to_bytes(frame)).save(stream, "JPEG", quality=self.quality, subsampling="4:2:0")
            with Image.open(stream) as compressed:
                lossy = to_picture(np.asarray(compressed))
        return cloud[0].encode_image(lossy, self.weights)
