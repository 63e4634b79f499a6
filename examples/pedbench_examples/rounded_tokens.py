"""A defense with an operation of its own: servers get rounded tokens, which the edge makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from pedbench.base import Cloud, Defense, Edge, Embedding, Field, Networks, Operation
from pedbench.models.sam.family import WEIGHTS
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.payload_fields import PLACES, TOKENS, places, shown_tokens, token_places
from pedbench.offload.operations.tiles import stages
from pedbench.offload.passes.assignment import assign, largest_share
from pedbench.offload.passes.scatter import gather_windows, pixels_per_server, window_payloads
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Payload, Picture, Tokens


class EncodeRoundedTokens(Operation):
    """Run the window stage on tokens that come as multiples of a step."""

    name = "encode_rounded_tokens"
    request: ClassVar = {
        "codes": Field(dtypes=("uint8",), shape=TOKENS.shape),
        "step": Field(dtypes=("float32",), shape=(1,)),
        **PLACES,
    }
    reply: ClassVar = {"tokens": TOKENS}
    arguments: ClassVar = {"weights": WEIGHTS}

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        stage = stages(networks.network(arguments["weights"]))[0]
        tokens = torch.from_numpy(decoded(payload)).to(stage.encoder.pos_embed)
        windows, _ = places(payload, stage.grid)
        return {"tokens": stage(tokens, windows).float().cpu().numpy()}

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> Sequence[Tokens]:
        grid = window_grid(networks.network(arguments["weights"]).image_encoder)
        positions = token_places(places(payload, grid)[0], grid)
        everything = np.ones(positions.shape[:-1], np.bool_)
        return shown_tokens(decoded(payload), positions, everything, 0, server, request)


def decoded(payload: Payload) -> npt.NDArray[np.float32]:
    """Return the (n, window, window, C) tokens that a payload's codes stand for."""
    return (payload["codes"] - np.float32(128)) * payload["step"]


@dataclass(kw_only=True)
class RoundedTokens(Defense):
    """Each server gets the patch embedding of some windows, rounded to `levels` levels on each side of zero."""

    name = "rounded_tokens"
    version = 1
    disclosure = "degraded"
    levels: int = 7
    servers: int = 3
    weights: str = "fine-tuned"

    def __post_init__(self) -> None:
        if not 1 <= self.levels <= 127:
            raise ValueError(f"levels lies in [1, 127], found {self.levels}")

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return largest_share("dispersed", self.servers, frame, grid)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        size = (frame.shape[0], frame.shape[1])
        network, grid = edge.networks.network(self.weights), edge.grid(self.weights)
        with edge.preparing():
            assignment = assign("dispersed", grid.active(size), self.servers, edge.rng)
            cloud.give(pixels_per_server(assignment, size, grid))
            payloads = window_payloads(network, to_uint8(frame), assignment, "tokens32")
            for server, payload in payloads.items():
                tokens, rest = payload["tokens"], {name: payload[name] for name in PLACES}
                step = np.abs(tokens).max() / np.float32(self.levels)
                codes = np.rint(tokens / step + 128).astype(np.uint8)
                payloads[server] = {"codes": codes, "step": np.array([step]), **rest}
        pendings = cloud.send(payloads, EncodeRoundedTokens.name, {"weights": self.weights})
        replies = gather_windows(pendings, assignment, network)
        return edge.finish(stages(network)[0].assemble(replies, size), self.weights)
