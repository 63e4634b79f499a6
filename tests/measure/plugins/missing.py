from __future__ import annotations

from dataclasses import dataclass

from pedbench.base import Claim, Probe, ProbeUnavailable
from pedbench.types import Picture


@dataclass(kw_only=True)
class Missing(Probe):
    """Need what no machine has."""

    name = "missing"
    version = 1
    reads = "text"
    side = 0

    def prepare(self, device: str) -> None:
        raise ProbeUnavailable("there is no crystal ball", "buy one")

    def claims(self, picture: Picture) -> list[Claim]:
        raise AssertionError("it was never prepared")
