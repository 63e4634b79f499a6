"""PED-SAM with windows whose positions are withheld."""

from dataclasses import dataclass

import numpy as np
import torch

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.models.sam.window_blocks import add_positions
from pedbench.offload.operations.tiles import embed_windows, stages
from pedbench.offload.passes.assignment import assign, check_sharing, largest_share, shuffle_alike
from pedbench.offload.passes.scatter import gather_windows, pixels_per_server
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Payload, Picture


@dataclass(kw_only=True)
class WindowShuffle(Defense):
    """Each server gets the tokens of its windows in a random order; the edge adds their positions beforehand.

    Attributes:
        servers: Number of servers that share the windows. A server knows which windows it has, not which is
            which. Windows cut by the frame's border are shuffled only with windows cut alike.
        assignment: `round_robin`, `contiguous`, `dispersed` or `random`.
        weights: A network whose window blocks come first.
    """

    name = "window_shuffle"
    version = 1
    disclosure = "degraded"
    shuffles = True
    servers: int = 3
    assignment: str = "dispersed"
    weights: str = "fine-tuned"

    def __post_init__(self) -> None:
        check_sharing(self.servers, self.assignment)

    @property
    def randomised(self) -> bool:
        return True

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return largest_share(self.assignment, self.servers, frame, grid)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        size = (frame.shape[0], frame.shape[1])
        network, grid = edge.networks.network(self.weights), edge.grid(self.weights)
        stage = stages(network)[0]
        with edge.preparing():
            assignment = assign(self.assignment, grid.active(size), self.servers, edge.rng)
            cloud.give(pixels_per_server(assignment, size, grid))
            tokens = embed_windows(network, to_uint8(frame))
            order = {s: shuffle_alike(part, size, grid, edge.rng) for s, part in assignment.items()}
            payloads: dict[int, Payload] = {}
            for server, part in order.items():
                embedded = torch.tensor(np.stack([tokens[window] for window in part]), device=network.device)
                payloads[server] = {
                    "tokens": add_positions(network.image_encoder, embedded, part, grid)
                    .float()
                    .cpu()
                    .numpy(),
                    "positions": np.array(assignment[server], np.int32),
                    "frame": np.array(size, np.int32),
                }
        arguments = {"weights": self.weights, "reply": "float32", "first": "0", "last": str(stage.depth)}
        pendings = cloud.send(payloads, "run_blocks", arguments)
        gathered = gather_windows(pendings, order, network)
        return edge.finish(stage.assemble(gathered, size), self.weights)
