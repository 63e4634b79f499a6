"""A defense that fails in one way or another."""

from __future__ import annotations

from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.types import Picture


@dataclass(kw_only=True)
class Stumbles(Defense):
    """Fail.

    Attributes:
        how: `warm-up` raises on every picture, `prepare` before any, `nothing` returns no network, `none` no
            embedding, `nan` one that is not finite, `beyond` calls a server that it lacks.
    """

    name = "stumbles"
    version = 1
    disclosure = "nothing"

    how: str = "warm-up"

    @property
    def servers(self) -> int:
        return 0

    def prepare(self, device: str) -> None:
        if self.how == "prepare":
            raise FileNotFoundError("no such weights")

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        if self.how == "warm-up":
            raise KeyError("no such window")
        if self.how == "none":
            return None  # type: ignore[return-value]
        if self.how == "beyond":
            return cloud[1].encode_image(frame)
        embedding = edge.encode_image(frame)
        if self.how == "nan":
            embedding.features[0, 0, 0, 0] = float("nan")
        if self.how == "nothing":
            embedding.network = None
        return embedding
