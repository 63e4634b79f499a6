"""PED-SAM: window blocks on non-colluding servers, global blocks on the edge."""

from dataclasses import dataclass
from typing import Any

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.offload.operations.payload_fields import reply_form
from pedbench.offload.passes.assignment import assign, check_sharing, largest_share, spread_home
from pedbench.offload.passes.scatter import payload_form
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Picture


@dataclass(kw_only=True)
class PedSam(Defense):
    """Each server runs the window blocks on some windows of the frame; the edge runs the global blocks.

    Attributes:
        servers: Number of servers that share the windows.
        assignment: `round_robin`, `contiguous`, `dispersed` or `random`.
        payload: Content sent of a window: `pixels`, a codec for them such as `jpeg(quality=90)`, or tokens
            after the patch embedding, `tokens16` or `tokens32`.
        reply: Format of returned tokens: `float32`, `float16`, or a codec such as `quantised(bits=6)`.
        weights: A network whose window blocks come first.
        chunk: Windows per message, so that transfers and computing overlap; 0 for one message per server.
        home: Share of the windows that the edge computes itself, at positions that no picture changes.
    """

    name = "ped_sam"
    version = 1
    cite = "PED-SAM, SEC 2025, arXiv:2512.09309"
    disclosure = "exact"
    shares_windows = True
    servers: int = 3
    assignment: str = "dispersed"
    payload: str = "pixels"
    reply: str = "float32"
    weights: str = "fine-tuned"
    chunk: int = 0
    home: float = 0.0

    def __post_init__(self) -> None:
        check_sharing(self.servers, self.assignment)
        payload_form(self.payload)
        reply_form(self.reply)
        if self.chunk < 0:
            raise ValueError(f"chunk must not be negative, found {self.chunk}")
        if not 0 <= self.home < 1:
            raise ValueError(f"home must lie in [0, 1), found {self.home}: on_device keeps all")

    @property
    def params(self) -> dict[str, Any]:
        """The configuration. A `home` of 0 is left out: results from before the parameter existed stay comparable."""
        return {name: value for name, value in super().params.items() if name != "home" or value}

    @property
    def codecs(self) -> tuple[str, ...]:
        return tuple(filter(None, (payload_form(self.payload)[1], reply_form(self.reply)[1])))

    @property
    def randomised(self) -> bool:
        return self.assignment == "random"

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        home = spread_home(grid.active(frame), self.home)
        return largest_share(self.assignment, self.servers, frame, grid, home)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        with edge.preparing():
            windows = edge.grid(self.weights).active(frame.shape[:2])
            home = spread_home(windows, self.home)
            assignment = assign(self.assignment, windows, self.servers, edge.rng, home)
        tokens = cloud.encode_windows(
            frame,
            assignment,
            home=home,
            weights=self.weights,
            payload=self.payload,
            reply=self.reply,
            chunk=self.chunk,
        )
        return edge.finish(tokens, self.weights)
