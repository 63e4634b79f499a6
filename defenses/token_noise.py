"""PED-SAM with noise on the tokens that leave the device."""

from dataclasses import dataclass

import numpy as np

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.offload.operations.payload_fields import holding, token_places
from pedbench.offload.operations.tiles import stages
from pedbench.offload.passes.assignment import assign, check_sharing, largest_share
from pedbench.offload.passes.scatter import gather_windows, pixels_per_server, window_payloads
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Picture


@dataclass(kw_only=True)
class TokenNoise(Defense):
    """Each server gets the patch embedding of some windows with Gaussian noise; the edge runs the global
    blocks.

    Attributes:
        sigma: Standard deviation of the noise on every channel. 1 has the power, after the patch embedding,
            of white noise of one standard deviation (58 of 255 levels) on the pixels.
        servers: Number of servers that share the windows.
        assignment: `round_robin`, `contiguous`, `dispersed` or `random`.
        weights: A network whose window blocks come first.
    """

    name = "token_noise"
    version = 1
    disclosure = "degraded"
    sigma: float = 1.0
    servers: int = 3
    assignment: str = "dispersed"
    weights: str = "fine-tuned"

    def __post_init__(self) -> None:
        check_sharing(self.servers, self.assignment)
        if not 0 < self.sigma < float("inf"):
            raise ValueError(f"sigma must be positive, found {self.sigma}")

    @property
    def randomised(self) -> bool:
        return True

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return largest_share(self.assignment, self.servers, frame, grid)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        size = (frame.shape[0], frame.shape[1])
        network, grid = edge.networks.network(self.weights), edge.grid(self.weights)
        with edge.preparing():
            assignment = assign(self.assignment, grid.active(size), self.servers, edge.rng)
            cloud.give(pixels_per_server(assignment, size, grid))
            payloads = window_payloads(network, to_uint8(frame), assignment, "tokens32")
            embedding = network.image_encoder.patch_embed.proj.weight.flatten(1)
            scale = self.sigma * float(embedding.square().sum(dim=1).mean().sqrt())
            for server, payload in payloads.items():
                noise = edge.rng.normal(0, scale, payload["tokens"].shape)
                # Padding outside the frame is public, and noise there would count as unexplained.
                noise[~holding(token_places(assignment[server], grid), grid, size)] = 0
                noisy = payload["tokens"] + noise.astype(np.float32)
                payloads[server] = {**payload, "tokens": noisy}
        arguments = {"weights": self.weights, "reply": "float32"}
        pendings = cloud.send(payloads, "encode_window_tokens", arguments)
        tokens = gather_windows(pendings, assignment, network)
        return edge.finish(stages(network)[0].assemble(tokens, size), self.weights)
