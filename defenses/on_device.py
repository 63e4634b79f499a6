"""The undefended model on the trusted device."""

from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.types import Picture


@dataclass(kw_only=True)
class OnDevice(Defense):
    """The whole encoder runs on the edge; nothing leaves the device.

    Attributes:
        weights: `original`, the undefended model; `prolonged`, trained as long as ped_sam's; or any other
            network.
    """

    name = "on_device"
    version = 1
    disclosure = "nothing"
    weights: str = "original"

    @property
    def servers(self) -> int:
        return 0

    @property
    def undefended(self) -> bool:
        return self.weights == "original"

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        return edge.encode_image(frame, self.weights)
