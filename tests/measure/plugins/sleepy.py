from __future__ import annotations

from dataclasses import dataclass

from pedbench.base import Claim, Probe
from pedbench.types import Picture


@dataclass(kw_only=True)
class Sleepy(Probe):
    """Read nothing, not even the undefended picture."""

    name = "sleepy"
    version = 1
    reads = "text"
    side = 0

    def claims(self, picture: Picture) -> list[Claim]:
        return []
