"""Claims to be ped_sam, and cheats in a way that the tests of offloading know."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture

OFFLOAD = Path(__file__).parents[2] / "offload"
# Servers load operations by name, from this process's path.
if str(OFFLOAD) not in sys.path:
    sys.path.insert(0, str(OFFLOAD))
Opaque = importlib.import_module("own_operations").Opaque


def _script(name: str) -> Any:
    if "cheating" not in sys.modules:
        spec = importlib.util.spec_from_file_location("cheating", OFFLOAD / "cheating_defenses.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules["cheating"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["cheating"])
    return getattr(sys.modules["cheating"], name)


@dataclass(kw_only=True)
class Cheat(Defense):
    """Say that three servers get their windows, and do what a test wants.

    Attributes:
        how: Name of the function that does it.
    """

    name = "cheat"
    version = 1
    disclosure = "exact"

    how: str

    @property
    def servers(self) -> int:
        return 3

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return float(PedSam().max_share(frame, grid))

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        _script(self.how)(frame, edge, cloud)
        return edge.encode_image(frame)
