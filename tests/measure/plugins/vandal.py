"""A defense that writes into what it was given."""

from __future__ import annotations

from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.types import Picture


@dataclass(kw_only=True)
class Vandal(Defense):
    """Send everything, then paint the frame black, so that nothing matches it."""

    name = "vandal"
    version = 1
    disclosure = "exact"

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        embedding = cloud[0].encode_image(frame)
        frame[:] = 0
        return embedding
