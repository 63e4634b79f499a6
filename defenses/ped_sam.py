"""PED-SAM: window blocks on non-colluding servers, global blocks on the edge."""

from dataclasses import dataclass

import numpy as np

from pedbench.base import Defense, Embedding
from pedbench.models.windows import WindowGrid
from pedbench.offload.assignment import POLICIES, assign
from pedbench.offload.cloud import Cloud
from pedbench.offload.edge import Edge
from pedbench.offload.scatter import PAYLOADS
from pedbench.types import Picture


@dataclass(kw_only=True)
class PedSam(Defense):
    """Each server runs the window blocks on some windows of the frame; the edge runs the global blocks.

    Attributes:
        servers: How many servers share the windows.
        assignment: `round_robin`, `contiguous`, `dispersed` or `random`.
        payload: What is sent of a window: `pixels`, or tokens behind the patch embedding, `tokens16` or
            `tokens32`.
        reply: How tokens come back, `float32` or `float16`.
        weights: A network whose window blocks come first.
    """

    name = "ped_sam"
    version = 1
    cite = "PED-SAM, SEC 2025, arXiv:2512.09309"
    disclosure = "exact"
    servers: int = 3
    assignment: str = "dispersed"
    payload: str = "pixels"
    reply: str = "float32"
    weights: str = "fine-tuned"

    def __post_init__(self) -> None:
        if self.servers < 1:
            raise ValueError(f"ped_sam needs at least one server, found {self.servers}")
        known = {"assignment": tuple(POLICIES), "payload": PAYLOADS, "reply": ("float32", "float16")}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} is {getattr(self, name)!r}; known: {', '.join(values)}")

    @property
    def randomised(self) -> bool:
        return self.assignment == "random"

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        """What the policy gives to one server at most; it depends on nothing but the frame's size."""
        windows = grid.active(frame)
        areas = {window: grid.tile(window, frame).area for window in windows}
        if self.assignment == "random":
            most = -(-len(windows) // self.servers)
            pixels = sum(sorted(areas.values())[-most:])
        else:
            parts = assign(self.assignment, windows, self.servers, np.random.default_rng(0)).values()
            pixels = max(sum(areas[window] for window in part) for part in parts)
        return pixels / (frame[0] * frame[1])

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        with edge.preparing():
            windows = edge.grid(self.weights).active(frame.shape[:2])
            assignment = assign(self.assignment, windows, self.servers, edge.rng)
        tokens = cloud.encode_windows(
            frame, assignment, weights=self.weights, payload=self.payload, reply=self.reply
        )
        return edge.finish(tokens, self.weights)
