"""A defense that takes its process with it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.types import Picture


@dataclass(kw_only=True)
class Poison(Defense):
    """End the process on every picture."""

    name = "poison"
    version = 1
    disclosure = "nothing"

    @property
    def servers(self) -> int:
        return 0

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        os._exit(1)
