"""A defense that hides nothing: the frame is mirrored before it is offloaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.types import Picture


@dataclass(kw_only=True)
class Mirror(Defense):
    """One server gets the frame upside down."""

    name = "mirror"
    version = 1
    disclosure = "degraded"

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        embedding = cloud[0].encode_image(np.ascontiguousarray(frame[::-1]))
        embedding.features = embedding.features.flip(2)
        return embedding
