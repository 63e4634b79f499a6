"""The edge, the trusted device: it runs those parts of the model during a pass that are not offloaded."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch

from pedbench.base import Embedding, Networks
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.tiles import stages
from pedbench.offload.passes.timing import Clock
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Picture


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The edge of one pass; `pedbench.base.Edge` documents the methods."""

    networks: Networks
    rng: np.random.Generator
    request: int
    clock: Clock

    def grid(self, weights: str) -> WindowGrid:
        return window_grid(self.networks.network(weights).image_encoder)

    def encode_image(self, frame: Picture, weights: str = "original") -> Embedding:
        network = self.networks.network(weights)
        with self.clock.preparing():
            pixels = preprocess(network, to_uint8(frame))
        with torch.inference_mode():
            return Embedding(features=network.image_encoder(pixels).float(), network=network)

    def finish(self, tokens: torch.Tensor, weights: str) -> Embedding:
        network = self.networks.network(weights)
        with torch.inference_mode():
            return Embedding(features=stages(network)[1](tokens).float(), network=network)

    def preparing(self) -> AbstractContextManager[None]:
        return self.clock.preparing()
