"""Positive control: window blocks on non-colluding servers in the model's own block order."""

from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.offload.operations.payload_fields import REPLY_DTYPES
from pedbench.offload.passes.assignment import assign, check_sharing, largest_share
from pedbench.offload.passes.interleave import encode_interleaved
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Picture


@dataclass(kw_only=True)
class InterleavedOffload(Defense):
    """Servers run the window blocks in the model's own order and get tokens back that global blocks have mixed.

    Every server keeps its windows, so it has no pixels of other windows. The mixed tokens carry information
    about these.

    Attributes:
        servers: Number of servers that share the windows.
        assignment: `round_robin`, `contiguous`, `dispersed` or `random`.
        dtype: Format of tokens in both directions, `float32` or `float16`.
        weights: The network; with one in PED order this is `ped_sam`.
    """

    name = "interleaved_offload"
    version = 1
    disclosure = "exact"
    control = "mixed tokens"

    servers: int = 3
    assignment: str = "dispersed"
    dtype: str = "float32"
    weights: str = "original"

    def __post_init__(self) -> None:
        check_sharing(self.servers, self.assignment)
        if self.dtype not in REPLY_DTYPES:
            raise ValueError(f"dtype is {self.dtype!r}; known: {', '.join(REPLY_DTYPES)}")

    @property
    def randomised(self) -> bool:
        return self.assignment == "random"

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return largest_share(self.assignment, self.servers, frame, grid)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        with edge.preparing():
            windows = edge.grid(self.weights).active(frame.shape[:2])
            assignment = assign(self.assignment, windows, self.servers, edge.rng)
        return encode_interleaved(cloud, frame, assignment, weights=self.weights, dtype=self.dtype)
