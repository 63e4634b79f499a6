"""Base class of defenses that degrade the picture and offload the whole of it."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from pedbench.base import Cloud, Defense, Disclosure, Edge, Embedding
from pedbench.types import Picture


class DegradingDefense(Defense):
    """A defense that sends one server a degraded picture.

    Subclasses are dataclasses with a parameter `weights`.

    Attributes:
        weights: Name of the network that the server runs; `original` or `fine-tuned` if `fine_tuned` is set.
        fine_tuned: Name of the network that was trained for this defense, which `weights = "fine-tuned"` selects; ""
            if there is none.
    """

    disclosure: ClassVar[Disclosure] = "degraded"
    fine_tuned: ClassVar[str] = ""
    weights: str

    def __post_init__(self) -> None:
        if self.fine_tuned and self.weights not in ("original", "fine-tuned"):
            raise ValueError(f"weights is {self.weights!r}; known: original, fine-tuned")

    @property
    def networks(self) -> tuple[str, ...]:
        return (self.fine_tuned,) if self.fine_tuned and self.weights == "fine-tuned" else (self.weights,)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        with edge.preparing():
            degraded = self.degrade(frame, edge.rng)
        return cloud[0].encode_image(degraded, self.networks[0])

    @abstractmethod
    def degrade(self, frame: Picture, rng: np.random.Generator) -> Picture:
        """Return the degraded frame for the server, (H, W, 3) float32 in [0, 1].

        Args:
            frame: (H, W, 3) float32 in [0, 1].
            rng: The request's own randomness, for defenses that add noise.
        """
