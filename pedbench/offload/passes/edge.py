"""The trusted device, for the length of one pass: it runs the parts of the model that stay at home."""

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
    """The edge of one pass; `pedbench.base.Edge` says what each method does.

    Attributes:
        clock: The pass's clock.
    """

    networks: Networks
    rng: np.random.Generator
    request: int
    clock: Clock

    def grid(self, weights: str) -> WindowGrid:
        """The window grid of a network; `grid.active(frame.shape[:2])` are its windows with content."""
        return window_grid(self.networks.network(weights).image_encoder)

    def encode_image(self, frame: Picture, weights: str = "original") -> Embedding:
        """Run the whole image encoder here, on the same 8-bit pixels that a server would get."""
        network = self.networks.network(weights)
        with self.clock.preparing():
            pixels = preprocess(network, to_uint8(frame))
        with torch.inference_mode():
            return Embedding(features=network.image_encoder(pixels).float(), network=network)

    def finish(self, tokens: torch.Tensor, weights: str) -> Embedding:
        """Run the global blocks and the neck.

        Args:
            tokens: (1, h, w, C) from the window stage.
            weights: The network whose window stage it was.
        """
        network = self.networks.network(weights)
        with torch.inference_mode():
            return Embedding(features=stages(network)[1](tokens).float(), network=network)

    def preparing(self) -> AbstractContextManager[None]:
        """Attribute what happens inside to the phase `prepare`: making the payload."""
        return self.clock.preparing()
