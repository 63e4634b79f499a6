"""Offloading without any defense."""

from dataclasses import dataclass

from pedbench.base import Defense, Embedding
from pedbench.offload.cloud import Cloud
from pedbench.offload.edge import Edge
from pedbench.types import Picture


@dataclass(kw_only=True)
class FullOffload(Defense):
    """The whole frame goes to one server, which runs the whole encoder."""

    name = "full_offload"
    version = 1
    disclosure = "exact"
    control = "whole picture"
    weights: str = "original"

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        return cloud[0].encode_image(frame, self.weights)
