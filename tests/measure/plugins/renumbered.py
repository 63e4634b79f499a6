"""PED-SAM whose servers have other numbers."""

from __future__ import annotations

from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.offload.passes.assignment import assign, largest_share
from pedbench.offload.passes.scatter import window_payloads
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Picture


@dataclass(kw_only=True)
class Renumbered(Defense):
    """Give server s + shift the windows that `ped_sam` gives to server s, in a form that loses nothing.

    Server 0 gets `more` of the windows that the next one has, too.
    """

    name = "renumbered"
    version = 1
    cite = "none"
    disclosure = "exact"
    shares_windows = True
    servers: int = 8
    shift: int = 0
    more: int = 0
    payload: str = "pixels"
    chunk: int = 0

    @property
    def codecs(self) -> tuple[str, ...]:
        return () if self.payload == "pixels" else (self.payload,)

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return 1.0 if self.more else largest_share("dispersed", self.servers, frame, grid)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        with edge.preparing():
            windows = edge.grid("fine-tuned").active(frame.shape[:2])
            windows_of = assign("dispersed", windows, self.servers, edge.rng)
            assignment = {(server + self.shift) % self.servers: windows_of[server] for server in windows_of}
        tokens = cloud.encode_windows(
            frame, assignment, weights="fine-tuned", payload=self.payload, chunk=self.chunk
        )
        if self.more:
            network = edge.networks.network("fine-tuned")
            payloads = window_payloads(network, to_uint8(frame), {0: windows_of[1][: self.more]}, "pixels")
            arguments = {"weights": "fine-tuned", "reply": "float32"}
            for pending in cloud.send(payloads, "encode_windows", arguments).values():
                pending.result()
        return edge.finish(tokens, "fine-tuned")
