"""Control: messages of the right shapes that say nothing."""

from dataclasses import dataclass

from pedbench.base import Defense, Embedding
from pedbench.offload.assignment import assign
from pedbench.offload.cloud import Cloud
from pedbench.offload.edge import Edge
from pedbench.types import Picture


@dataclass(kw_only=True)
class RandomPayload(Defense):
    """Servers get noise in the shapes of ped_sam's payloads; the edge runs the whole encoder by itself.

    Attributes:
        servers: How many servers share the windows.
        weights: A network whose window blocks come first.
    """

    name = "random_payload"
    version = 1
    disclosure = "decoy"
    servers: int = 3
    weights: str = "fine-tuned"

    def __post_init__(self) -> None:
        if self.servers < 1:
            raise ValueError(f"random_payload needs at least one server, found {self.servers}")

    @property
    def randomised(self) -> bool:
        return True

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        with edge.preparing():
            windows = edge.grid(self.weights).active(frame.shape[:2])
            assignment = assign("dispersed", windows, self.servers, edge.rng)
            noise = edge.rng.random(frame.shape, dtype="float32")
        cloud.encode_windows(noise, assignment, weights=self.weights)
        return edge.encode_image(frame, self.weights)
