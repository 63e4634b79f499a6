"""Offloading without any defense."""

from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.offload.operations.payload_fields import reply_form
from pedbench.types import Picture


@dataclass(kw_only=True)
class FullOffload(Defense):
    """The whole frame goes to one server, which runs the whole encoder.

    Attributes:
        weights: The network that the server runs.
        reply: Format of the returned embedding: `float32`, `float16`, or a codec such as `quantised`.
    """

    name = "full_offload"
    version = 2
    disclosure = "exact"
    control = "whole picture"
    weights: str = "original"
    reply: str = "float32"

    def __post_init__(self) -> None:
        reply_form(self.reply)

    @property
    def codecs(self) -> tuple[str, ...]:
        return tuple(filter(None, reply_form(self.reply)[1:]))

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        return cloud[0].encode_image(frame, self.weights, self.reply)
