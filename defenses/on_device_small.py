"""A small model on the trusted device."""

from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.types import Picture


@dataclass(kw_only=True)
class OnDeviceSmall(Defense):
    """A much smaller encoder runs on the edge; nothing leaves the device."""

    name = "on_device_small"
    version = 1
    disclosure = "nothing"

    @property
    def servers(self) -> int:
        return 0

    @property
    def networks(self) -> tuple[str, ...]:
        return ("small",)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        return edge.encode_image(frame, "small")
