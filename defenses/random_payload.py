"""Control: messages of the right shapes without information."""

from dataclasses import dataclass, field

import numpy as np

from pedbench.adversary.prior import load_prior
from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.offload.passes.assignment import assign
from pedbench.types import Picture, Prior


@dataclass(kw_only=True)
class RandomPayload(Defense):
    """Servers get noise in the shapes of ped_sam's payloads; the edge runs the whole encoder.

    Each channel is uniform around the mean colour of training pictures, as wide as fits into [0, 1]. Attacks
    know that colour; noise around another one would shift their guesses.

    Attributes:
        servers: Number of servers that share the windows.
        weights: A network whose window blocks come first.
    """

    name = "random_payload"
    version = 2
    disclosure = "decoy"
    servers: int = 3
    weights: str = "fine-tuned"
    _prior: Prior | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.servers < 1:
            raise ValueError(f"random_payload needs at least one server, found {self.servers}")

    @property
    def randomised(self) -> bool:
        return True

    def prepare(self, device: str) -> None:
        self._prior = load_prior()

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        if self._prior is None:
            raise RuntimeError(f"{self!r} was called before prepare()")
        with edge.preparing():
            mean = self._prior.mean_colour
            windows = edge.grid(self.weights).active(frame.shape[:2])
            assignment = assign("dispersed", windows, self.servers, edge.rng)
            deviation = 2 * edge.rng.random(frame.shape, dtype="float32") - 1
            noise = mean + deviation * np.minimum(mean, 1 - mean)
        cloud.encode_windows(noise, assignment, weights=self.weights)
        return edge.encode_image(frame, self.weights)
